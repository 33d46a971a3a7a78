/**
 * SCGI: netstrings of variables, through the real connection.
 *
 * @module
 */

import { scgiConnection } from "../../../core/wires/scgi/connection.ts";
import { naiveScgi } from "../../scgi/naive.ts";
import { scgiRequest } from "../../scgi/request.ts";
import { oneRequestTarget } from "../one_request.ts";
import { bytesOf, type Target, textOf } from "../target.ts";

/** The target. */
export const scgi: Target = oneRequestTarget({
  name: "scgi",
  wire: scgiConnection,
  naive: naiveScgi,
  request: scgiRequest,
  repair: (input) => {
    const [, block, rest] = /^[^:]*:(.*\0)?(.*)$/s.exec(textOf(input)) ?? [];
    return rest === undefined
      ? input
      : bytesOf(`${(block ?? "").length}:${block ?? ""}${rest.startsWith(",") ? "" : ","}${rest}`);
  },
  words: ["\0", ":", ",", "0:", "131072:", "131073:", "CONTENT_LENGTH\0", "SCGI\x001\0"],
});
