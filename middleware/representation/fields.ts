/**
 * Reads and changes the header list that an application gives to `startResponse`.
 *
 * Middleware sees the list before the server has checked it. A list that is malformed is passed on as it is, so that the
 * error appears as it does without the middleware.
 *
 * @module
 */

import type { HeaderList } from "../../core/contract/types.ts";

/** Whether a value is a list of pairs of strings. */
export function isHeaderList(headers: unknown): headers is HeaderList {
  return Array.isArray(headers) &&
    headers.every((pair: unknown) =>
      Array.isArray(pair) && pair.length === 2 && typeof pair[0] === "string" && typeof pair[1] === "string"
    );
}

/**
 * The value of a field, several fields of the name joined by commas; undefined if there is none.
 *
 * @param name The name in lower case.
 *
 * @example
 * ```ts
 * import { fieldOf } from "./fields.ts";
 * console.assert(fieldOf([["ETag", '"a"'], ["Vary", "A"], ["vary", "B"]], "vary") === "A, B");
 * ```
 */
export function fieldOf(headers: HeaderList, name: string): string | undefined {
  let value: string | undefined;
  for (const [one, text] of headers) {
    if (one.length === name.length && one.toLowerCase() === name) {
      value = value === undefined ? text : `${value}, ${text}`;
    }
  }
  return value;
}

/** What describes content, which a 304 has none of (RFC 9110 15.4.5). */
const OF_CONTENT = /^(?:content-(?!location$|security-policy)|accept-ranges$)/i;

/**
 * The fields of a 304 in the place of a response with these fields.
 *
 * @example
 * ```ts
 * import { withoutContent } from "./fields.ts";
 * console.assert(withoutContent([["Content-Length", "3"], ["Vary", "Accept"]]).join() === "Vary,Accept");
 * ```
 */
export function withoutContent(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => !OF_CONTENT.test(name));
}
