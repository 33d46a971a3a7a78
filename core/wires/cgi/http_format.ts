/**
 * HTTP responses that end with their connection: what uwsgi answers with, and a CGI script that writes to the client.
 *
 * @module
 */

import { framing, serializeHead, serializeRefusal } from "../http1/serializer.ts";
import type { HeadFormat } from "./exchange.ts";

/** The format of responses with `Connection: close` and never a chunk: not every reader takes those. */
export function httpFormat({ serverHeader }: { readonly serverHeader: string }): HeadFormat {
  return {
    head: (head, length, bodyless) =>
      serializeHead(head, length, framing(false, length, bodyless), { http11: true, keepAlive: false, serverHeader }),
    refusal: serializeRefusal,
  };
}
