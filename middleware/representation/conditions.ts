/**
 * Conditional requests: decides whether the client already has the representation (RFC 9110 13).
 *
 * A validator is an entity tag or a date of last modification. The order in which the fields count is that of RFC 9110
 * 13.2.2: an entity tag outranks a date, and `If-Match` outranks `If-None-Match`.
 *
 * @module
 */

import type { Environ } from "../../core/contract/types.ts";
import { trimOws } from "../../core/grammar.ts";

/** The validators of a representation. */
export interface Validators {
  /** The entity tag with its quotes, and with `W/` if it is weak. */
  readonly etag?: string | undefined;
  /** Second of the last modification, counted from 1970. */
  readonly modified?: number | undefined;
  /** Whether the date tells any two versions apart (RFC 9110 8.8.2.2), so that `If-Range` may use it. */
  readonly strongDate?: boolean | undefined;
}

/** The fields of a request that may make a 304 of a response. */
export interface Conditions {
  readonly [name: `HTTP_${string}`]: string | undefined;
}

/**
 * A member of a list of entity tags, up to the comma behind it. It may be empty. White space has one place each, so that no
 * field takes longer than its length demands.
 */
const MEMBER = /(?:[ \t]*((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"))?[ \t]*(?:,|$)/y;
const SINGLE_TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/;

/** The opaque part of an entity tag: what weak comparison compares (RFC 9110 8.8.3.2). */
function opaque(tag: string): string {
  return tag.startsWith("W/") ? tag.slice(2) : tag;
}

/**
 * Whether a field such as `If-None-Match` names an entity tag, by weak comparison unless `strong`. A malformed field
 * names none.
 *
 * @example
 * ```ts
 * import { namesTag } from "./conditions.ts";
 * console.assert(namesTag('W/"a", "b"', '"a"') && !namesTag('W/"a"', '"a"', true));
 * ```
 */
export function namesTag(field: string, etag: string | undefined, strong = false): boolean {
  if (trimOws(field) === "*") return true;
  if (etag === undefined || (strong && etag.startsWith("W/"))) return false;
  const wanted = opaque(etag);
  let found = false;
  for (MEMBER.lastIndex = 0; MEMBER.lastIndex < field.length;) {
    const match = MEMBER.exec(field);
    if (match === null) return false; // malformed
    const tag = match[1];
    if (tag !== undefined) found ||= strong ? tag === etag : opaque(tag) === wanted;
  }
  return found;
}

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const FIXDATE = /^[A-Z][a-z]{2}, (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT$/;
const RFC850 = /^[A-Z][a-z]{5,8}, (\d\d)-([A-Z][a-z]{2})-(\d\d) (\d\d):(\d\d):(\d\d) GMT$/;
const ASCTIME = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d) (\d{4})$/;

/**
 * Reads a date in any of the three forms that a recipient has to accept (RFC 9110 5.6.7).
 *
 * @returns the second, counted from 1970, or undefined if it is no such date.
 *
 * @example
 * ```ts
 * import { httpDate } from "./conditions.ts";
 * console.assert(httpDate("Sun, 06 Nov 1994 08:49:37 GMT") === 784111777 && httpDate("1994") === undefined);
 * ```
 */
export function httpDate(text: string): number | undefined {
  let match = FIXDATE.exec(text);
  if (match !== null) return second(match[3], match[2], match[1], match[4], match[5], match[6]);
  match = ASCTIME.exec(text);
  if (match !== null) return second(match[6], match[1], match[2], match[3], match[4], match[5]);
  match = RFC850.exec(text);
  if (match === null) return undefined;
  // A year of two digits that appears to be more than 50 years in the future is in the past.
  const now = new Date().getUTCFullYear();
  const year = Math.floor(now / 100) * 100 + Number(match[3]);
  return second(String(year > now + 50 ? year - 100 : year), match[2], match[1], match[4], match[5], match[6]);
}

function second(year = "", month = "", day = "", hours = "", minutes = "", seconds = ""): number | undefined {
  const at = MONTHS.indexOf(month);
  if (at < 0 || Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 60) return undefined;
  const time = Date.UTC(Number(year), at, Number(day), Number(hours), Number(minutes), Number(seconds));
  return new Date(time).getUTCDate() === Number(day) || Number(seconds) === 60 ? time / 1000 : undefined;
}

/**
 * Whether a GET or HEAD request may be answered with 304: steps 3 and 4 of RFC 9110 13.2.2.
 *
 * @example
 * ```ts
 * import { createEnviron } from "tsgi/testing";
 * import { isNotModified } from "./conditions.ts";
 * const environ = createEnviron({ headers: { "If-None-Match": '"v1"' } });
 * console.assert(isNotModified(environ, { etag: '"v1"' }) && !isNotModified(environ, { etag: '"v2"' }));
 * ```
 */
export function isNotModified(environ: Conditions, { etag, modified }: Validators): boolean {
  const tags = environ.HTTP_IF_NONE_MATCH;
  if (tags !== undefined) return namesTag(tags, etag);
  const field = environ.HTTP_IF_MODIFIED_SINCE;
  const since = field === undefined || modified === undefined ? undefined : httpDate(field);
  return since !== undefined && (modified as number) <= since;
}

/**
 * Evaluates the preconditions of a GET or HEAD request in the order of RFC 9110 13.2.2.
 *
 * @returns the status of a response without the representation, or 200 for one with it.
 *
 * @example
 * ```ts
 * import { createEnviron } from "tsgi/testing";
 * import { precondition } from "./conditions.ts";
 * const environ = createEnviron({ headers: { "If-Match": '"v1"' } });
 * console.assert(precondition(environ, { etag: '"v2"' }) === 412);
 * ```
 */
export function precondition(environ: Environ, validators: Validators): 200 | 304 | 412 {
  const match = environ.HTTP_IF_MATCH;
  if (match !== undefined) {
    if (!namesTag(match, validators.etag, true)) return 412;
  } else if (environ.HTTP_IF_UNMODIFIED_SINCE !== undefined && validators.modified !== undefined) {
    const since = httpDate(environ.HTTP_IF_UNMODIFIED_SINCE);
    if (since !== undefined && validators.modified > since) return 412;
  }
  return isNotModified(environ, validators) ? 304 : 200;
}

/**
 * Whether the Range field counts: step 5 of RFC 9110 13.2.2. `If-Range` wants the very same octets, so only strong
 * validators pass.
 *
 * @example
 * ```ts
 * import { createEnviron } from "tsgi/testing";
 * import { rangeApplies } from "./conditions.ts";
 * const environ = createEnviron({ headers: { Range: "bytes=0-9", "If-Range": 'W/"v1"' } });
 * console.assert(!rangeApplies(environ, { etag: '"v1"' }));
 * ```
 */
export function rangeApplies(environ: Environ, { etag, modified, strongDate }: Validators): boolean {
  const field = environ.HTTP_IF_RANGE;
  if (field === undefined) return true;
  if (SINGLE_TAG.test(field)) return field === etag && !field.startsWith("W/");
  return strongDate === true && modified !== undefined && httpDate(field) === modified;
}
