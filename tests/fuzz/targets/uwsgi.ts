/**
 * uwsgi: packets of variables, through the real connection.
 *
 * @module
 */

import { uwsgiConnection } from "../../../core/wires/uwsgi/connection.ts";
import { naiveUwsgi } from "../../uwsgi/naive.ts";
import { uwsgiRequest } from "../../uwsgi/request.ts";
import { oneRequestTarget } from "../one_request.ts";
import type { Target } from "../target.ts";

/** The target. */
export const uwsgi: Target = oneRequestTarget({
  name: "uwsgi",
  wire: uwsgiConnection,
  naive: naiveUwsgi,
  request: uwsgiRequest,
  repair: (input) => {
    if (input.length < 4) return input;
    let end = 4;
    const sizeAt = (at: number): number => (input[at] as number) | ((input[at + 1] ?? 0) << 8);
    while (end + 2 < input.length && end + 2 + sizeAt(end) <= input.length) end += 2 + sizeAt(end);
    const copy = input.slice();
    copy.set([0, (end - 4) & 255, (end - 4) >> 8]);
    return copy;
  },
  words: ["\0\0\0\0", "\0\xff\xff\0", "\x01\0a", "\0\0", "\x0e\0CONTENT_LENGTH\x01\x005"],
});
