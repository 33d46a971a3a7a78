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
  words: ["\0\0\0\0", "\0\xff\xff\0", "\x01\0a", "\0\0", "\x0e\0CONTENT_LENGTH\x01\x005"],
});
