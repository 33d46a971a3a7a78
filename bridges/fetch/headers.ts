/**
 * A lazy `Headers` for the fields of a request: `get` and `has` look into the environ.
 *
 * Anything else, above all a change, creates a real `Headers`, which answers everything from then on. Runtimes accept
 * this object as a `Headers` wherever they iterate, and `instanceof` works.
 *
 * @module
 */

import type { Environ } from "../../core/contract/types.ts";
import { leadOn } from "./lead_on.ts";

const KEYS_KEPT = 512;
const keys = new Map<string, string>(); // cache, by name as applications write it

/** Returns the environ key of a field name. */
function keyOf(name: string): string {
  let key = keys.get(name);
  if (key === undefined) {
    key = `HTTP_${name.toUpperCase().replaceAll("-", "_")}`;
    if (key === "HTTP_CONTENT_TYPE" || key === "HTTP_CONTENT_LENGTH") key = key.slice("HTTP_".length);
    // A name with an underscore would match the field with a hyphen. For an invalid name, the real Headers throws.
    if (!/^[A-Za-z0-9-]+$/.test(name)) key = "";
    if (keys.size === KEYS_KEPT) keys.clear();
    keys.set(name, key);
  }
  return key;
}

const names = new Map<string, string>(); // cache of lower-case names, by environ key

/** Returns the lower-case field name of an environ key; "" when the key is not a header field. */
function nameOf(key: string): string {
  let name = names.get(key);
  if (name === undefined) {
    const named = key.startsWith("HTTP_");
    if (!named && key !== "CONTENT_TYPE" && key !== "CONTENT_LENGTH") return "";
    name = (named ? key.slice("HTTP_".length) : key).toLowerCase().replaceAll("_", "-");
    if (names.size === KEYS_KEPT) names.clear();
    names.set(key, name);
  }
  return name;
}

/** Field names and values of an environ. */
export function fieldsOf(environ: Environ): [name: string, value: string][] {
  const fields: [string, string][] = [];
  for (const key in environ) {
    const name = nameOf(key);
    const value = environ[key];
    if (name !== "" && typeof value === "string" && (value !== "" || key.startsWith("HTTP_"))) {
      fields.push([name, value]);
    }
  }
  return fields;
}

/** A lazy `Headers` that reads from an environ. */
export class RequestHeaders {
  readonly #environ: Environ;
  readonly #make: () => Headers;
  #real: Headers | undefined;

  /** Makes a view of the fields of `environ`. `make` creates the real `Headers`, still empty, when it is needed. */
  constructor(environ: Environ, make: () => Headers = () => new Headers()) {
    this.#environ = environ;
    this.#make = make;
  }

  /** Uses `real`, which has all fields, from now on. */
  follow(real: Headers): void {
    this.#real = real;
  }

  /** Returns the real `Headers` with all fields, which is used from now on. */
  real(): Headers {
    if (this.#real === undefined) {
      this.#real = this.#make();
      for (const [name, value] of fieldsOf(this.#environ)) this.#real.append(name, value);
    }
    return this.#real;
  }

  get(name: string): string | null {
    if (this.#real === undefined && typeof name === "string") {
      const key = keyOf(name);
      if (key !== "") return this.#field(key);
    }
    return this.real().get(name);
  }

  #field(key: string): string | null {
    const value = this.#environ[key];
    return typeof value === "string" && (value !== "" || key.startsWith("HTTP_")) ? value : null;
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  append(name: string, value: string): void {
    this.real().append(name, value);
  }

  set(name: string, value: string): void {
    this.real().set(name, value);
  }

  delete(name: string): void {
    this.real().delete(name);
  }

  getSetCookie(): string[] {
    return this.real().getSetCookie();
  }

  forEach(callback: (value: string, name: string, parent: Headers) => void, thisArg?: unknown): void {
    this.real().forEach((value, name) => callback.call(thisArg, value, name, this as unknown as Headers));
  }

  keys(): IterableIterator<string> {
    return this.real().keys();
  }

  values(): IterableIterator<string> {
    return this.real().values();
  }

  entries(): IterableIterator<[string, string]> {
    return this.real().entries();
  }

  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.real()[Symbol.iterator]();
  }
}

// Members that a runtime adds to Headers, such as toJSON() on Bun, are forwarded to the real one.
leadOn(RequestHeaders.prototype, Headers.prototype, (headers: RequestHeaders) => headers.real());
