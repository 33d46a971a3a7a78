/**
 * Field lines: `name: value` (RFC 9112 5).
 *
 * Field names repeat from request to request, so what is known of a name, that it is a token, which environ key it
 * has and whether it steers the framing, is found once and kept in a bounded table.
 *
 * @module
 */

import { environKey } from "../gateway/environ.ts";
import { CONTROL_IN_VALUE, TOKEN, trimOws } from "../grammar.ts";
import { BAD_REQUEST, Refusal } from "../refusal.ts";

/** What a field means to the parser. */
export const PLAIN = 0;
export const HOST = 1;
export const CONTENT_LENGTH = 2;
export const TRANSFER_ENCODING = 3;
export const CONNECTION = 4;
export const EXPECT = 5;
export const CONTENT_TYPE = 6;
export const UPGRADE = 7;
/** A name with an underscore: it poses as the name with a dash, see `headerMap`. */
export const UNDERSCORE = 8;

/** What is known of a field name. */
export interface FieldName {
  /** Key in the environ, or null when the field never enters it. */
  readonly key: string | null;
  /** One of the constants above. */
  readonly kind: number;
}

const KINDS: Readonly<Record<string, number>> = {
  "host": HOST,
  "content-length": CONTENT_LENGTH,
  "transfer-encoding": TRANSFER_ENCODING,
  "connection": CONNECTION,
  "expect": EXPECT,
  "content-type": CONTENT_TYPE,
  "upgrade": UPGRADE,
};

const TABLE_SIZE = 1024; // names; then the table is begun anew, so that a client cannot make it grow
const table = new Map<string, FieldName>();

/**
 * What is known of a field name.
 *
 * @throws {Refusal} 400 when it is not a token: empty, with a space before the colon, with controls.
 *
 * @example
 * ```ts
 * import { fieldName, HOST } from "./fields.ts";
 * const { key, kind } = fieldName("hOST");
 * console.assert(key === "HTTP_HOST" && kind === HOST);
 * ```
 */
export function fieldName(name: string): FieldName {
  const known = table.get(name);
  if (known !== undefined) return known;
  if (!TOKEN.test(name)) throw new Refusal(BAD_REQUEST, "a field name is not a token");
  const kind = name.includes("_")
    ? UNDERSCORE
    : Object.hasOwn(KINDS, name.toLowerCase())
    ? KINDS[name.toLowerCase()]
    : PLAIN;
  const field: FieldName = { key: environKey(name), kind: kind as number };
  if (name.length <= 64) {
    if (table.size >= TABLE_SIZE) table.clear();
    table.set(name, field);
  }
  return field;
}

/**
 * The value of a field line whose colon is at index `colon`, trimmed.
 *
 * @throws {Refusal} 400 when it holds a control other than HTAB.
 *
 * @example
 * ```ts
 * import { fieldColon, fieldValue } from "./fields.ts";
 * const line = "Accept: \ttext/plain ";
 * console.assert(fieldValue(line, fieldColon(line)) === "text/plain");
 * ```
 */
export function fieldValue(line: string, colon: number): string {
  const value = trimOws(line.slice(colon + 1));
  if (CONTROL_IN_VALUE.test(value)) throw new Refusal(BAD_REQUEST, "a field value holds a control character");
  return value;
}

/**
 * Index of the colon of a field line. One that begins with white space (obs-fold, RFC 9112 5.2) has no token before it
 * and is refused by {@linkcode fieldName}.
 *
 * @throws {Refusal} 400 for a line without one.
 */
export function fieldColon(line: string): number {
  const colon = line.indexOf(":");
  if (colon < 0) throw new Refusal(BAD_REQUEST, "a field line has no colon");
  return colon;
}
