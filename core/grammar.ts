/**
 * Grammar helpers that all parts of the project share. This file imports nothing.
 *
 * Text that comes from or goes to a wire is latin-1: one code unit is one octet (PEP 3333, "Unicode Issues").
 * So all patterns here match code units up to U+00FF. White space is SP and HTAB only (RFC 9110 5.6.3); JavaScript's
 * `trim()` removes more. Letters are compared without case by ASCII rules only.
 *
 * @module
 */

/** A token (RFC 9110 5.6.2): methods, field names, transfer codings. */
export const TOKEN: RegExp = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** An octet that no field value may hold: controls other than HTAB (RFC 9110 5.5). */
// deno-lint-ignore no-control-regex
export const CONTROL_IN_VALUE: RegExp = /[\x00-\x08\x0a-\x1f\x7f]/;

/** A control character, including HTAB. */
// deno-lint-ignore no-control-regex
export const CONTROL: RegExp = /[\x00-\x1f\x7f]/;

/** A code unit that does not fit into one octet. */
// deno-lint-ignore no-control-regex
export const BEYOND_LATIN1: RegExp = /[^\x00-\xff]/;

/** A code unit that no field value in latin-1 may hold: one of the two above, in one pass over the value. */
export const NOT_IN_VALUE: RegExp = /[^\t\x20-\x7e\x80-\xff]/;

/** One or more decimal digits (RFC 9110 8.6). */
export const DIGITS: RegExp = /^[0-9]+$/;

/** Field names that concern one connection. Only the server may send them (PEP 3333, "Other HTTP Features"). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailers",
  "transfer-encoding",
  "upgrade",
]);

/**
 * Whether a field name is hop-by-hop, in any letter case.
 *
 * @example
 * ```ts
 * import { isHopByHop } from "./grammar.ts";
 * console.assert(isHopByHop("Keep-Alive") && !isHopByHop("Trailer"));
 * ```
 */
export function isHopByHop(name: string): boolean {
  return HOP_BY_HOP.has(name.toLowerCase());
}

/**
 * Removes optional white space, SP and HTAB, from both ends (RFC 9110 5.6.3).
 *
 * @example
 * ```ts
 * import { trimOws } from "./grammar.ts";
 * console.assert(trimOws(" \t a b\u00a0\t") === "a b\u00a0");
 * ```
 */
export function trimOws(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isOws(text.charCodeAt(start))) start++;
  while (end > start && isOws(text.charCodeAt(end - 1))) end--;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

/** Whether a code unit is SP or HTAB. */
export function isOws(unit: number): boolean {
  return unit === 0x20 || unit === 0x09;
}

/**
 * The members of a comma-separated list (RFC 9110 5.6.1), trimmed. Empty members stay in the result, so that a caller
 * can refuse them.
 *
 * @example
 * ```ts
 * import { listMembers } from "./grammar.ts";
 * console.assert(listMembers("a,, b ").join("|") === "a||b");
 * ```
 */
export function listMembers(value: string): string[] {
  return value.split(",").map(trimOws);
}

/**
 * Decodes percent-escapes once (RFC 3986 2.1). The result is latin-1: each decoded octet is one code unit. A malformed
 * escape stays as it is.
 *
 * @example
 * ```ts
 * import { percentDecode } from "./grammar.ts";
 * console.assert(percentDecode("/%C3%A9/%2541/%zz") === "/\u00c3\u00a9/%41/%zz");
 * ```
 */
export function percentDecode(text: string): string {
  if (text.indexOf("%") < 0) return text;
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
}

/**
 * Whether a value can be a mount point: `""`, or a path in latin-1 that begins with a slash and does not end with one.
 *
 * @example
 * ```ts
 * import { isMountPoint } from "./grammar.ts";
 * console.assert(isMountPoint("") && isMountPoint("/a/b") && !isMountPoint("/") && !isMountPoint("/a\n"));
 * ```
 */
export function isMountPoint(value: unknown): boolean {
  if (typeof value !== "string") return false;
  return value === "" || (/^\/.*[^/]$/.test(value) && !CONTROL.test(value) && !BEYOND_LATIN1.test(value));
}

const ENCODED_FROM = 48; // code units: for shorter text a loop is cheaper than the call of an encoder
const encoder = new TextEncoder();

/**
 * Writes a latin-1 string into memory, one octet for each code unit, and returns the index behind it.
 *
 * Long text is mostly ASCII, which UTF-8 encodes to the same octets, and an encoder is faster than a loop. If the text
 * is not ASCII after all, the loop overwrites what the encoder wrote.
 *
 * @example
 * ```ts
 * import { writeLatin1 } from "./grammar.ts";
 * const memory = new Uint8Array(4);
 * console.assert(writeLatin1(memory, 1, "A\u00e9") === 3 && memory.join() === "0,65,233,0");
 * ```
 */
export function writeLatin1(target: Uint8Array, at: number, text: string): number {
  const length = text.length;
  if (length >= ENCODED_FROM) {
    const { read, written } = encoder.encodeInto(text, target.subarray(at, at + length));
    if (read === length && written === length) return at + length;
  }
  for (let i = 0; i < length; i++) target[at + i] = text.charCodeAt(i);
  return at + length;
}

/**
 * Writes bytes, or the octets of latin-1 text, into memory and returns the index behind them.
 *
 * @example
 * ```ts
 * import { writeOctets } from "./grammar.ts";
 * const memory = new Uint8Array(4);
 * console.assert(writeOctets(memory, writeOctets(memory, 0, "AB"), new Uint8Array([67])) === 3);
 * console.assert(memory.join() === "65,66,67,0");
 * ```
 */
export function writeOctets(target: Uint8Array, at: number, octets: Uint8Array | string): number {
  if (typeof octets === "string") return writeLatin1(target, at, octets);
  target.set(octets, at);
  return at + octets.length;
}

/**
 * Decodes `bytes[start, end)` as latin-1, one code unit for each byte, in plain JavaScript. Hosts have faster decoders.
 *
 * @example
 * ```ts
 * import { readLatin1 } from "./grammar.ts";
 * console.assert(readLatin1(new Uint8Array([65, 233, 66]), 0, 2) === "A\u00e9");
 * ```
 */
export function readLatin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let at = start; at < end; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, Math.min(end, at + 4096)));
  }
  return text;
}
