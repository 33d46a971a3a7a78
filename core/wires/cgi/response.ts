/**
 * CGI responses: `Status:` first, then the application's fields, an empty line, the body (RFC 3875 6).
 *
 * The status is always there and always first, so that no web server takes a Location field for a redirect of its own.
 * (An application cannot give a Status field: the gateway refuses it.)
 *
 * @module
 */

import { fieldLines, finalFields, NO_OWN_FIELDS } from "../../contract/final_fields.ts";
import type { ResponseHead } from "../../seams.ts";

/** The head of a response whose body has `length` bytes (null: not known), its empty line included, as latin-1 text. */
export function serializeCgiHead(head: ResponseHead, length: number | null): string {
  return `Status: ${head.status}\r\n${fieldLines(finalFields(head, length, NO_OWN_FIELDS))}\r\n`;
}

/** A whole response that says nothing but its status. */
export function cgiRefusal(status: string, withBody: boolean): string {
  const body = `${status}\n`;
  const head = `Status: ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\n\r\n`;
  return withBody ? head + body : head;
}
