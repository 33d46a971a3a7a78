/**
 * The checks of a response head (PEP 3333, "The start_response() Callable").
 *
 * `startResponse` checks everything at once, so that the error appears at the faulty call and nothing unchecked reaches
 * a wire: a control character in a header would allow response splitting. The pairs are copied, so that later changes
 * of the application's list have no effect.
 *
 * Most applications send the same few heads over and over, so the last ones are cached. An equal head, compared string
 * by string, gives the same object, and wires recognize it by reference.
 *
 * @module
 */

import { describe } from "../errors.ts";
import { DIGITS, isHopByHop, NOT_IN_VALUE, TOKEN } from "../grammar.ts";
import type { HeaderList, ResponseHead } from "../seams.ts";

/** The application called `startResponse` as PEP 3333 does not allow ("The start_response() Callable"), or not at all. */
export class StartResponseError extends Error {
  /** Name of the class. */
  override readonly name = "StartResponseError";
}

/** The error for a call of `startResponse` with `count` arguments. */
export function wrongCount(count: number): StartResponseError {
  return new StartResponseError(
    `startResponse: expected 2 or 3 arguments, got ${count}; give [] for no headers`,
  );
}

/** The message for a second call of `startResponse`. */
export const CALLED_TWICE: string =
  "startResponse: called a second time without excInfo; return after the first call, or give the error that made the " +
  "second one necessary";

/** The message for a body without a response head. */
export const NOT_CALLED =
  "The application gave a body without a successful call of startResponse; call it before the first block";

/** Three digits from 200 to 599, one space, a reason without white space at its ends. */
const STATUS = /^[2-5][0-9]{2} (?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;

/** Status codes that only a bridge may pass on: no RFC defines them, but other application interfaces allow them. */
const FOREIGN_STATUS = /^[6-9][0-9]{2} (?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;

/**
 * A status from 600 to 999. `startResponse` refuses such a status as text, because in a WSGI application it is a mistake.
 * A bridge passes an instance of this class instead, because the interface of its applications allows these codes.
 */
export class ForeignStatus {
  /** The code, a space and the reason. */
  readonly text: string;

  /** A status line's text, unchecked. */
  constructor(text: string) {
    this.text = text;
  }
}

/** A status that an application of another interface gives, as a bridge passes it to `startResponse`. */
export function foreignStatus(text: string): string {
  return text < "6" ? text : new ForeignStatus(text) as unknown as string;
}

type Pair = readonly [string, string];

/**
 * Whether responses of a status never have content, whatever the application returns (RFC 9110 15.3.5, 15.3.6, 15.4.5).
 *
 * @example
 * ```ts
 * import { isContentless } from "./response_head.ts";
 * console.assert(isContentless(204) && isContentless(205) && isContentless(304) && !isContentless(200));
 * ```
 */
export function isContentless(code: number): boolean {
  return code === 204 || code === 205 || code === 304;
}

/**
 * Checks a status and a header list, and converts them to a {@linkcode ResponseHead}.
 *
 * @throws {StartResponseError} naming the first thing that is wrong.
 *
 * @example
 * ```ts
 * import { responseHead } from "./response_head.ts";
 * const head = responseHead("200 OK", [["Content-Length", "5"]]);
 * console.assert(head.code === 200 && head.contentLength === 5);
 * ```
 */
export function responseHead(status: unknown, headers: unknown): ResponseHead {
  for (let i = 0; i < KEPT; i++) {
    const head = kept[i];
    if (head !== undefined && head.status === status && sameHeaders(head.headers, headers)) return head;
  }
  const head = checkedHead(status, headers);
  kept[next] = head;
  next = (next + 1) % KEPT;
  return head;
}

const KEPT = 4;
const kept: (ResponseHead | undefined)[] = new Array<ResponseHead | undefined>(KEPT).fill(undefined);
let next = 0;

/** Whether the unchecked value `headers` equals `known`. Reads each element once, since a getter could change its value. */
function sameHeaders(known: HeaderList, headers: unknown): boolean {
  if (!Array.isArray(headers) || headers.length !== known.length) return false;
  for (let i = 0; i < known.length; i++) {
    const pair: unknown = headers[i];
    const [name, value] = known[i] as Pair;
    if (!Array.isArray(pair) || pair.length !== 2 || pair[0] !== name || pair[1] !== value) return false;
  }
  return true;
}

function checkedHead(given: unknown, headers: unknown): ResponseHead {
  const foreign = given instanceof ForeignStatus;
  const status: unknown = foreign ? given.text : given;
  if (typeof status !== "string" || !(foreign ? FOREIGN_STATUS : STATUS).test(status)) throw badStatus(status);
  const pairs = checkHeaders(headers, "startResponse");
  let contentLength: number | null = null;
  let hasDate = false;
  let hasServer = false;
  for (let i = 0; i < pairs.length; i++) {
    const [name, value] = pairs[i] as Pair;
    switch (kindOf(name)) {
      case CONTENT_LENGTH:
        if (contentLength !== null) throw new StartResponseError("startResponse: Content-Length is given twice");
        contentLength = DIGITS.test(value) ? Number(value) : NaN;
        if (!Number.isSafeInteger(contentLength)) {
          throw new StartResponseError(
            `startResponse: expected decimal digits as Content-Length, got ${describe(value)}`,
          );
        }
        break;
      case DATE:
        hasDate = true;
        break;
      case SERVER:
        hasServer = true;
    }
  }
  const code = Number(status.slice(0, 3));
  if (code === 204 || code === 205) contentLength = setOwnLength(code, pairs);
  return { status, code, headers: pairs, contentLength, hasDate, hasServer };
}

/**
 * Replaces the application's Content-Length with the only one that the status allows. A 204 has none (RFC 9110 8.6). A
 * 205 has 0, because clients look for the end of its content as they do for a 200 (RFC 9112 6.3).
 */
function setOwnLength(code: 204 | 205, pairs: Pair[]): number | null {
  const at = pairs.findIndex(([name]) => name.toLowerCase() === "content-length");
  if (at >= 0) pairs.splice(at, 1);
  if (code === 204) return null;
  pairs.push(["Content-Length", "0"]);
  return 0;
}

/**
 * Checks a header list and copies it.
 *
 * @param caller Name of the public function that got the list, for messages.
 * @throws {StartResponseError} naming the first header that is wrong.
 */
export function checkHeaders(headers: unknown, caller: string): Pair[] {
  if (!Array.isArray(headers)) {
    throw new StartResponseError(
      `${caller}: expected an array of [name, value] pairs as headers, got ${describe(headers)}${
        headersAdvice(headers)
      }`,
    );
  }
  const pairs: Pair[] = [];
  for (let i = 0; i < headers.length; i++) {
    const pair: unknown = headers[i];
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== "string" || typeof pair[1] !== "string") {
      throw new StartResponseError(
        `${caller}: expected a pair of two strings as header ${i + 1}, got ${show(pair)}${pairAdvice(pair)}`,
      );
    }
    const [name, value] = pair as [string, string];
    const kind = kindOf(name);
    if (kind === NO_TOKEN) {
      throw new StartResponseError(`${caller}: expected a token as header name, got ${describe(name)}`);
    }
    if (kind === REFUSED) {
      throw new StartResponseError(
        `${caller}: the header ${describe(name)} is not the application's to set; leave it out`,
      );
    }
    if (NOT_IN_VALUE.test(value)) {
      throw new StartResponseError(
        `${caller}: expected latin-1 text without control characters as value of ${name}, got ${
          describe(value)
        }; encodeURIComponent makes such text`,
      );
    }
    pairs.push([name, value]);
  }
  return pairs;
}

function headersAdvice(headers: unknown): string {
  if (typeof headers !== "object" || headers === null) return "";
  return Symbol.iterator in headers ? "; write [...headers]" : "; write Object.entries(headers)";
}

function pairAdvice(pair: unknown): string {
  return Array.isArray(pair) && pair.length === 2 && typeof pair[0] === "string" ? "; write String(value)" : "";
}

/** What a header name means here. */
type Kind = number;
const PLAIN: Kind = 0;
const CONTENT_LENGTH: Kind = 1;
const DATE: Kind = 2;
const SERVER: Kind = 3;
const REFUSED: Kind = 4; // only the server may set it
const NO_TOKEN: Kind = 5;

const kinds = new Map<string, Kind>(); // cache, by name as applications write it
const MOST_KINDS = 512; // limits the cache, since applications may invent names
const LONGEST_KEPT = 64; // code units

function kindOf(name: string): Kind {
  let kind = kinds.get(name);
  if (kind === undefined) {
    kind = foundKind(name);
    if (kinds.size < MOST_KINDS && name.length <= LONGEST_KEPT) kinds.set(name, kind);
  }
  return kind;
}

function foundKind(name: string): Kind {
  if (!TOKEN.test(name)) return NO_TOKEN;
  const last = name.charCodeAt(name.length - 1);
  if (isHopByHop(name) || last === 0x2d || last === 0x5f) return REFUSED;
  switch (name.toLowerCase()) {
    case "content-length":
      return CONTENT_LENGTH;
    case "date":
      return DATE;
    case "server":
      return SERVER;
    case "status":
      return REFUSED;
    default:
      return PLAIN;
  }
}

function show(pair: unknown): string {
  return Array.isArray(pair) ? `an array of ${pair.length}: ${pair.map(describe).join(", ")}` : describe(pair);
}

function badStatus(status: unknown): StartResponseError {
  const informational = typeof status === "string" && /^1[0-9]{2}( |$)/.test(status);
  const hint = informational ? " (1xx is not a final response; see tsgi.request.earlyHints)" : "";
  return new StartResponseError(
    `startResponse: expected a status like "200 OK", code 200 to 599, got ${describe(status)}${hint}`,
  );
}
