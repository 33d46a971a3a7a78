/**
 * HTTP responses that end with their connection, for uwsgi and for CGI scripts that write to the client directly.
 *
 * @module
 */

import { CLOSED, framing, serializeHead, serializeRefusal } from "../http1/serializer.ts";
import type { HeadFormat } from "./response.ts";

/** Responses with `Connection: close`, never chunked, because not every web server understands chunks here. */
export function httpFormat({ serverHeader }: { readonly serverHeader: string }): HeadFormat {
  return {
    head: (head, length, bodyless) =>
      serializeHead(head, length, framing(false, length, bodyless), CLOSED, serverHeader),
    refusal: serializeRefusal,
  };
}
