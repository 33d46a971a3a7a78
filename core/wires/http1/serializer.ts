/**
 * Response heads as bytes, and which framing a response gets (RFC 9112 6 and 9).
 *
 * The headers of a ResponseHead have been validated, so they are written as they are. Of the fields that the server adds,
 * Date, Server, Connection and Transfer-Encoding are this wire's own.
 *
 * @module
 */

import { fieldLines, finalFields } from "../../contract/final_fields.ts";
import { imfFixdate } from "../../grammar.ts";
import type { HeaderList, ResponseHead } from "../../seams.ts";
import { SERVICE_UNAVAILABLE } from "../../refusal.ts";

/** How the end of a response body is marked. */
export type Framing = "none" | "length" | "chunked" | "close";

const CHUNKED: HeaderList = [["Transfer-Encoding", "chunked"]];
const KEPT_ALIVE: HeaderList = [["Connection", "keep-alive"]];
const CLOSED: HeaderList = [["Connection", "close"]];

/** What the serializer has to know of the connection. */
export interface HeadContext {
  /** Whether the client speaks HTTP/1.1. */
  readonly http11: boolean;
  /** Whether the connection stays open behind this response. */
  readonly keepAlive: boolean;
  /** Value for the Server field, or "" for none. */
  readonly serverHeader: string;
}

/**
 * The framing of a response of `length` bytes, null when that is not known (RFC 9112 6.3).
 *
 * @example
 * ```ts
 * import { framing } from "./serializer.ts";
 * console.assert(framing(true, 5, false) === "length" && framing(true, null, false) === "chunked");
 * console.assert(framing(false, null, false) === "close" && framing(true, 5, true) === "none");
 * ```
 */
export function framing(http11: boolean, length: number | null, bodyless: boolean): Framing {
  if (bodyless) return "none";
  if (length !== null) return "length";
  return http11 ? "chunked" : "close";
}

/** The head of a final response, its empty line included, as latin-1 text. `now` is the time of its Date. */
export function serializeHead(
  head: ResponseHead,
  length: number | null,
  how: Framing,
  context: HeadContext,
  now: number = Date.now(),
): string {
  const persists = context.http11 ? [] : KEPT_ALIVE; // HTTP/1.1 persists without a word
  const fields = finalFields(head, length, {
    date: httpDate(now),
    server: context.serverHeader,
    framing: how === "chunked" ? CHUNKED : [],
    connection: context.keepAlive ? persists : CLOSED,
  });
  return `HTTP/1.1 ${head.status}\r\n${fieldLines(fields)}\r\n`;
}

/**
 * An interim response (RFC 9110 15.2), as latin-1 text.
 *
 * @example
 * ```ts
 * import { serializeInterim } from "./serializer.ts";
 * console.assert(serializeInterim("100 Continue", []) === "HTTP/1.1 100 Continue\r\n\r\n");
 * ```
 */
export function serializeInterim(status: string, headers: HeaderList): string {
  return `HTTP/1.1 ${status}\r\n${fieldLines(headers)}\r\n`;
}

/** A whole response in the server's own words; the connection closes behind it. */
export function serializeRefusal(status: string, withBody: boolean): string {
  const body = `${status}\n`;
  const retry = status === SERVICE_UNAVAILABLE ? "Retry-After: 1\r\n" : "";
  return `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\n` +
    `Date: ${httpDate(Date.now())}\r\n${retry}Connection: close\r\n\r\n${withBody ? body : ""}`;
}

let dateSecond = -1;
let dateText = "";

/** IMF-fixdate of now; made once a second. */
function httpDate(now: number): string {
  const second = Math.floor(now / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = imfFixdate(now);
  }
  return dateText;
}
