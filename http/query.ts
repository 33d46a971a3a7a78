/**
 * Queries and urlencoded forms: octets in latin-1 become `URLSearchParams`.
 *
 * @module
 */

import type { Environ } from "../core/contract/types.ts";

/**
 * The parameters of the query. Malformed escapes and octets that are no UTF-8 become U+FFFD or stay, as in a browser's
 * `URL.searchParams`; a query is never an error.
 *
 * @example
 * ```ts
 * import { query } from "tsgi/http";
 * import { createEnviron } from "tsgi/testing";
 * const parameters = query(createEnviron({ path: "/search?q=caf%C3%A9&page=2&tag=a&tag=b" }));
 * console.assert(parameters.get("q") === "caf\u00e9" && Number(parameters.get("page")) === 2);
 * console.assert(parameters.getAll("tag").join() === "a,b" && parameters.get("none") === null);
 * ```
 */
export function query(environ: Pick<Environ, "QUERY_STRING">): URLSearchParams {
  return searchParams(environ.QUERY_STRING);
}

const NOT_ASCII = /[\x80-\xff]/g;

/** Parses `application/x-www-form-urlencoded` text, one code unit for each octet. */
export function searchParams(octets: string): URLSearchParams {
  // URLSearchParams takes a code unit for a character. An escaped octet is an octet.
  const text = octets.replace(NOT_ASCII, (unit) => `%${unit.charCodeAt(0).toString(16)}`);
  // It would drop a question mark at the start, which is part of the first name here.
  return new URLSearchParams(text.startsWith("?") ? `&${text}` : text);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Decodes latin-1 text as UTF-8: one code unit is one octet. Other octets become U+FFFD. */
export function utf8(octets: string): string {
  return isAscii(octets) ? octets : decoder.decode(bytesOf(octets));
}

/** Decodes latin-1 text as UTF-8. Returns undefined where it is none. */
export function strictUtf8(octets: string): string | undefined {
  if (isAscii(octets)) return octets;
  try {
    return strictDecoder.decode(bytesOf(octets));
  } catch {
    return undefined;
  }
}

/** Encodes text as UTF-8 in latin-1: one code unit for each octet, as the environ has it. */
export function latin1(text: string): string {
  return isAscii(text) ? text : Array.from(encoder.encode(text), (octet) => String.fromCharCode(octet)).join("");
}

/** How many octets text has in UTF-8. */
export function utf8Length(text: string): number {
  return isAscii(text) ? text.length : encoder.encode(text).length;
}

// deno-lint-ignore no-control-regex
const ASCII = /^[\x00-\x7f]*$/;

function isAscii(text: string): boolean {
  return ASCII.test(text);
}

function bytesOf(octets: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(octets, (unit) => unit.charCodeAt(0));
}

/** Percent-encodes, as UTF-8, the characters that `unsafe` matches. A lone surrogate becomes U+FFFD. */
export function percentEncode(text: string, unsafe: RegExp): string {
  return text.replace(/\p{Surrogate}/gu, "\ufffd").replace(unsafe, encodeURIComponent);
}
