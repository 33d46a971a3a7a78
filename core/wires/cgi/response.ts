/**
 * CGI responses: `Status:` first, then the application's fields, an empty line, the body (RFC 3875 6).
 *
 * The status is always sent, and always first. Otherwise a web server could take a Location field for a redirect that it
 * should make itself. (An application cannot set a Status field: `startResponse` refuses it.)
 *
 * @module
 */

import { fieldLines, finalFields, NO_OWN_FIELDS } from "../../contract/final_fields.ts";
import type { ResponseHead } from "../../seams.ts";

/** The format of a response head. */
export interface HeadFormat {
  /** The head of a response, its empty line included, as latin-1 text. */
  head(head: ResponseHead, length: number | null, bodyless: boolean): string;
  /** A whole response that contains only its status. */
  refusal(status: string, withBody: boolean): string;
}

/** A response head with its empty line, as latin-1 text. `length` is that of the body; null if it is not known. */
export function serializeCgiHead(head: ResponseHead, length: number | null): string {
  return `Status: ${head.status}\r\n${fieldLines(finalFields(head, length, NO_OWN_FIELDS))}\r\n`;
}

/** A whole response that contains only its status. */
export function cgiRefusal(status: string, withBody: boolean): string {
  const body = `${status}\n`;
  const head = `Status: ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\n\r\n`;
  return withBody ? head + body : head;
}
