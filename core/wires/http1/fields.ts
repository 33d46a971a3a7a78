/**
 * Field lines: `name: value` (RFC 9112 5).
 *
 * Field names repeat from request to request. So a table of fixed size caches what is known about a name: that it is a
 * token, its environ key, and its meaning for the parser. Functions here work on indices into the text of many lines,
 * because a slice of a slice costs more than the search itself.
 *
 * @module
 */

import { environKey } from "../../contract/environ.ts";
import { CONTROL_IN_VALUE, isOws, TOKEN } from "../../grammar.ts";
import { BAD_REQUEST, Refusal } from "../../refusal.ts";

/** The fields that have a meaning for the parser. */
const SPECIAL = [
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "expect",
  "content-type",
  "upgrade",
] as const;

/**
 * The meaning of a field for the parser: "plain" for none. A name with an underscore has the same environ key as the name
 * with a dash: see `headerMap`.
 */
export type FieldKind = "plain" | "underscore" | typeof SPECIAL[number];

/** The cached facts about a field name. */
export interface FieldName {
  /** As it was sent. */
  readonly name: string;
  /** Key in the environ, or null when the field never enters it. */
  readonly key: string | null;
  /** Its meaning. */
  readonly kind: FieldKind;
}

const PLACES = 512; // a power of two; each name may be in two of them
const LONGEST = 64; // code units: longer names are not cached
const UNKNOWN: FieldName = { name: "", key: null, kind: "plain" };
const table: FieldName[] = new Array<FieldName>(PLACES).fill(UNKNOWN);

/**
 * Looks up a field name, and adds it to the cache.
 *
 * @throws {Refusal} 400 when it is not a token: empty, with a space before the colon, with controls.
 *
 * @example
 * ```ts
 * import { fieldName } from "./fields.ts";
 * const { key, kind } = fieldName("hOST");
 * console.assert(key === "HTTP_HOST" && kind === "host");
 * ```
 */
export function fieldName(name: string): FieldName {
  // A Map would read the whole name to hash it. Here the length and three characters choose the place, and one
  // comparison of the names decides.
  const length = name.length;
  const mixed = length * 5 + name.charCodeAt(0) + name.charCodeAt(length - 1) * 31 + name.charCodeAt(length - 2) * 7;
  const place = (mixed * 2) & (PLACES - 2);
  const first = table[place] as FieldName;
  if (first.name === name && length > 0) return first;
  const second = table[place + 1] as FieldName;
  if (second.name === name && length > 0) return second;
  const field = newFieldName(name);
  if (length <= LONGEST) {
    table[place + 1] = first;
    table[place] = field;
  }
  return field;
}

function newFieldName(name: string): FieldName {
  if (!TOKEN.test(name)) throw new Refusal(BAD_REQUEST, "a field name is not a token");
  const lower = name.toLowerCase();
  const kind = name.includes("_") ? "underscore" : SPECIAL.find((one) => one === lower) ?? "plain";
  return { name, key: environKey(name), kind };
}

/**
 * The value of the field line `text[start, end)` whose colon is at index `colon`, trimmed.
 *
 * @throws {Refusal} 400 when it holds a control other than HTAB.
 *
 * @example
 * ```ts
 * import { fieldColon, fieldValue } from "./fields.ts";
 * const text = "Accept: \ttext/plain \r\n";
 * console.assert(fieldValue(text, fieldColon(text, 0, 20), 20) === "text/plain");
 * ```
 */
export function fieldValue(text: string, colon: number, end: number): string {
  let from = colon + 1;
  let to = end;
  while (from < to && isOws(text.charCodeAt(from))) from++;
  while (to > from && isOws(text.charCodeAt(to - 1))) to--;
  const value = text.slice(from, to);
  if (CONTROL_IN_VALUE.test(value)) throw new Refusal(BAD_REQUEST, "a field value holds a control character");
  return value;
}

/**
 * Index of the colon of the field line `text[start, end)`. One that begins with white space (obs-fold, RFC 9112 5.2) has
 * no token before it and is refused by {@linkcode fieldName}.
 *
 * @throws {Refusal} 400 for a line without one.
 */
export function fieldColon(text: string, start: number, end: number): number {
  const colon = text.indexOf(":", start);
  if (colon < 0 || colon >= end) throw new Refusal(BAD_REQUEST, "a field line has no colon");
  return colon;
}
