/**
 * Serializes response heads, and chooses the framing of a response (RFC 9112 6 and 9).
 *
 * The headers of a ResponseHead have been validated, so they are written unchanged. This wire itself adds Date, Server,
 * Connection and Transfer-Encoding.
 *
 * @module
 */

import { fieldLines, finalFields, httpDate } from "../../contract/final_fields.ts";
import type { HeaderList, ResponseHead } from "../../seams.ts";
import { SERVICE_UNAVAILABLE } from "../../refusal.ts";

/** How the end of a response body is marked. */
export type Framing = "none" | "length" | "chunked" | "close";

const CHUNKED: HeaderList = [["Transfer-Encoding", "chunked"]];
const NONE: HeaderList = [];
const KEPT_ALIVE: HeaderList = [["Connection", "keep-alive"]];

/** The Connection field of a connection that ends with the response. */
export const CLOSED: HeaderList = [["Connection", "close"]];

/** The Connection field of a response (RFC 9112 9.3). Equal arguments give the same list. */
export function connectionField(http11: boolean, keepAlive: boolean): HeaderList {
  if (!keepAlive) return CLOSED;
  return http11 ? NONE : KEPT_ALIVE; // in HTTP/1.1 persistence is the default
}

/**
 * The framing of a response with a body of `length` bytes; null if that is not known (RFC 9112 6.3).
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

/**
 * The head of a final response with its empty line, as latin-1 text.
 *
 * @param connection Its Connection field.
 * @param server Value for the Server field, or "" for none.
 * @param now The time for Date.
 */
export function serializeHead(
  head: ResponseHead,
  length: number | null,
  how: Framing,
  connection: HeaderList,
  server: string,
  now: number = Date.now(),
): string {
  const framing = how === "chunked" ? CHUNKED : NONE;
  const fields = finalFields(head, length, { date: httpDate(now), server, framing, connection });
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

/** A whole error response of the server itself. The connection closes after it. */
export function serializeRefusal(status: string, withBody: boolean): string {
  const body = `${status}\n`;
  const retry = status === SERVICE_UNAVAILABLE ? "Retry-After: 1\r\n" : "";
  return `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\n` +
    `Date: ${httpDate(Date.now())}\r\n${retry}Connection: close\r\n\r\n${withBody ? body : ""}`;
}
