/**
 * The fields of a final response: those of the application, and those that the server adds.
 *
 * Every wire, `toFetch`, the test client and wsgiref's handlers call `finalFields`. They differ in the fields that they
 * add themselves. Rules that depend on the status alone are applied earlier, when the application calls
 * `startResponse`: see `response_head.ts` for Content-Length with 204 and 205.
 *
 * @module
 */

import type { HeaderList, ResponseHead } from "../seams.ts";

/** The fields that a wire sends itself. */
export interface OwnFields {
  /** Value of Date for a response without one (RFC 9110 6.6.1); null if a web server or host in front adds it. */
  readonly date: string | null;
  /** Value of Server for a response without one, or "" for none. */
  readonly server: string;
  /** Hop-by-hop fields that frame the body. */
  readonly framing: HeaderList;
  /** Other hop-by-hop fields. */
  readonly connection: HeaderList;
}

/** No additional fields: only those of the application and the length. For wires behind a server that adds the rest. */
export const NO_OWN_FIELDS: OwnFields = { date: null, server: "", framing: [], connection: [] };

/**
 * The fields of a response, in the order in which they are sent.
 *
 * @param length Length of the body in bytes, that of the GET response where the request is HEAD; null where it is not known.
 *
 * @example
 * ```ts
 * import { finalFields, NO_OWN_FIELDS } from "./final_fields.ts";
 * import { responseHead } from "./response_head.ts";
 * const fields = finalFields(responseHead("200 OK", [["X-A", "b"]]), 5, NO_OWN_FIELDS);
 * console.assert(JSON.stringify(fields) === '[["X-A","b"],["Content-Length","5"]]');
 * ```
 */
export function finalFields(head: ResponseHead, length: number | null, own: OwnFields): HeaderList {
  const fields = [...head.headers];
  if (head.contentLength === null && length !== null) fields.push(["Content-Length", String(length)]);
  fields.push(...own.framing);
  if (own.date !== null && !head.hasDate) fields.push(["Date", own.date]);
  if (own.server !== "" && !head.hasServer) fields.push(["Server", own.server]);
  fields.push(...own.connection);
  return fields;
}

/** Fields as the lines of a head (RFC 9112 5), latin-1. */
export function fieldLines(fields: HeaderList): string {
  let text = "";
  for (const [name, value] of fields) text += `${name}: ${value}\r\n`;
  return text;
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
let dateSecond = -1;
let dateText = "";

/**
 * A time as the value of Date: an IMF-fixdate (RFC 9110 5.6.7). The text is kept until the second changes.
 *
 * @param time Milliseconds since 1970-01-01T00:00:00Z.
 *
 * @example
 * ```ts
 * import { httpDate } from "./final_fields.ts";
 * console.assert(httpDate(784111777000) === "Sun, 06 Nov 1994 08:49:37 GMT");
 * ```
 */
export function httpDate(time: number): string {
  const second = Math.floor(time / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateText = imfFixdate(new Date(time));
  }
  return dateText;
}

function imfFixdate(d: Date): string {
  const two = (n: number): string => (n < 10 ? `0${n}` : `${n}`);
  const date = `${two(d.getUTCDate())} ${MONTHS[d.getUTCMonth()]} ${d.getUTCFullYear()}`;
  const clock = `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
  return `${DAYS[d.getUTCDay()]}, ${date} ${clock} GMT`;
}
