/**
 * Response headers as a multi-map, like `wsgiref.headers`.
 *
 * `startResponse` takes an array of pairs. {@linkcode Headers} works on such an array in place. Names are matched
 * without regard to case, and keep their original case and order. Control characters (except HTAB in a value) and
 * characters beyond latin-1 are refused when they are added, because they could split a response in two.
 *
 * @module
 */

import { describe } from "../core/errors.ts";
import { BEYOND_LATIN1, CONTROL_IN_VALUE, TOKEN, writeLatin1 } from "../core/grammar.ts";

/** A header as `startResponse` takes it. */
export type Header = [name: string, value: string];

/** Parameters of a header value. A null value means that the parameter is only a name. */
export type HeaderParameters = Readonly<Record<string, string | null>>;

/**
 * A list of response headers with case-insensitive names (PEP 3333, "The start_response() Callable").
 *
 * @example
 * ```ts
 * import { Headers } from "tsgi/wsgiref/headers";
 * const headers = new Headers([["Content-Type", "text/plain"]]);
 * headers.set("content-type", "text/html");
 * headers.add("Content-Disposition", "attachment", { filename: "spam.txt" });
 * console.assert(headers.get("CONTENT-TYPE") === "text/html");
 * console.assert(headers.get("Content-Disposition") === 'attachment; filename="spam.txt"');
 * ```
 */
export class Headers {
  readonly #list: Header[];

  /**
   * Makes a view of `list`: changes here change the list.
   *
   * @throws {TypeError} when it is not an array of string pairs, or holds what {@linkcode Headers.add} would refuse.
   *
   * @example
   * ```ts
   * import { Headers } from "tsgi/wsgiref/headers";
   * const list: [string, string][] = [];
   * new Headers(list).add("X-One", "1");
   * console.assert(list.join() === "X-One,1");
   * ```
   */
  constructor(list: Header[] = []) {
    if (!Array.isArray(list)) throw new TypeError(`Headers: expected an array of pairs, got ${describe(list)}`);
    for (const pair of list) {
      if (!Array.isArray(pair) || pair.length !== 2) {
        throw new TypeError(`Headers: expected a pair of a name and a value, got ${describe(pair)}`);
      }
      checked(pair[0], pair[1]);
    }
    this.#list = list;
  }

  /** Number of headers; repeated names count each time. */
  get length(): number {
    return this.#list.length;
  }

  /** The first value of `name`, or null. */
  get(name: string): string | null {
    return this.#list.find(called(name))?.[1] ?? null;
  }

  /** All values of `name`, in order; empty when there is none. */
  getAll(name: string): string[] {
    return this.#list.filter(called(name)).map(([, value]) => value);
  }

  /** Whether there is a header `name`. */
  has(name: string): boolean {
    return this.#list.some(called(name));
  }

  /**
   * Replaces all values of `name` by one value at the end of the list.
   *
   * @throws {TypeError} for a name that is not a token, or a value with control characters or characters beyond
   *   latin-1.
   */
  set(name: string, value: string): void {
    const header = checked(name, value);
    this.delete(name);
    this.#list.push(header);
  }

  /** Removes all values of `name`, if there are any. */
  delete(name: string): void {
    const isCalled = called(name);
    let kept = 0;
    for (const header of this.#list) if (!isCalled(header)) this.#list[kept++] = header;
    this.#list.length = kept;
  }

  /**
   * Returns the first value of `name`. If there is none, adds `value` and returns it.
   *
   * @throws {TypeError} as {@linkcode Headers.set} does.
   *
   * @example
   * ```ts
   * import { Headers } from "tsgi/wsgiref/headers";
   * const headers = new Headers();
   * console.assert(headers.setDefault("Vary", "Accept") === "Accept");
   * console.assert(headers.setDefault("vary", "Cookie") === "Accept");
   * ```
   */
  setDefault(name: string, value: string): string {
    const present = this.get(name);
    if (present !== null) return present;
    this.#list.push(checked(name, value));
    return value;
  }

  /**
   * Appends a header. Existing headers of the same name stay.
   *
   * @param value The value; null when it has parameters only.
   * @param parameters Follow the value, each as `; name="value"`, with quotes and backslashes escaped; null and `""`
   *   are `; name`. An underscore in a name is sent as a dash.
   * @throws {TypeError} as {@linkcode Headers.set} does, also for parameters.
   *
   * @example
   * ```ts
   * import { Headers } from "tsgi/wsgiref/headers";
   * const headers = new Headers();
   * headers.add("Set-Cookie", "a=1", { Secure: null });
   * headers.add("Set-Cookie", "b=2");
   * console.assert(headers.getAll("set-cookie").join(" | ") === "a=1; Secure | b=2");
   * ```
   */
  add(name: string, value: string | null, parameters: HeaderParameters = {}): void {
    const parts = value === null ? [] : [value];
    for (const [parameter, given] of Object.entries(parameters)) parts.push(formatParameter(parameter, given));
    if (parts.some((part) => typeof part !== "string")) checked(name, parts.find((part) => typeof part !== "string"));
    this.#list.push(checked(name, parts.join("; ")));
  }

  /** The names, in order, as they were given. */
  keys(): string[] {
    return this.#list.map(([name]) => name);
  }

  /** The values, in order. */
  values(): string[] {
    return this.#list.map(([, value]) => value);
  }

  /** A copy of the names and values, in order, which `startResponse` takes. */
  items(): Header[] {
    return this.#list.map(([name, value]) => [name, value]);
  }

  /** Names and values, in order. */
  [Symbol.iterator](): IterableIterator<Header> {
    return this.items()[Symbol.iterator]();
  }

  /** The headers in wire format, with the empty line after them. */
  toString(): string {
    return `${this.#list.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`;
  }

  /**
   * The headers in wire format, with the empty line after them, as latin-1 bytes.
   *
   * @example
   * ```ts
   * import { Headers } from "tsgi/wsgiref/headers";
   * console.assert(new Headers([["A", "\u00e9"]]).toBytes().join() === "65,58,32,233,13,10,13,10");
   * ```
   */
  toBytes(): Uint8Array {
    const text = this.toString();
    const bytes = new Uint8Array(text.length);
    writeLatin1(bytes, 0, text);
    return bytes;
  }
}

/** Makes a predicate for headers with this name, in any letter case. */
function called(name: string): (header: Header) => boolean {
  const lower = String(name).toLowerCase();
  return ([candidate]) => candidate.length === lower.length && candidate.toLowerCase() === lower;
}

function checked(name: unknown, value: unknown): Header {
  if (typeof name !== "string" || !TOKEN.test(name)) {
    throw new TypeError(`Headers: expected a token as name, got ${describe(name)}`);
  }
  if (typeof value !== "string" || CONTROL_IN_VALUE.test(value) || BEYOND_LATIN1.test(value)) {
    throw new TypeError(
      `Headers: expected latin-1 text without control characters as value of ${name}, got ${describe(value)}`,
    );
  }
  return [name, value];
}

function formatParameter(parameter: string, value: unknown): string {
  const name = parameter.replaceAll("_", "-");
  if (!TOKEN.test(name)) throw new TypeError(`Headers: expected a token as parameter, got ${describe(parameter)}`);
  if (value === null || value === "") return name;
  if (typeof value !== "string") {
    throw new TypeError(`Headers: expected text or null as parameter ${name}, got ${describe(value)}`);
  }
  return `${name}="${value.replace(/[\\"]/g, "\\$&")}"`;
}
