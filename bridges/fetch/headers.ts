/**
 * The header fields of a request as `Headers`, without making any: `get` and `has` look into the environ.
 *
 * A real `Headers` is made when more is asked for than that, a change above all; from then on it has the last word.
 * Runtimes take this one for a `Headers` wherever they iterate, and `instanceof` holds.
 *
 * @module
 */

import type { Environ } from "../../core/contract/types.ts";
import { leadOn } from "./lead_on.ts";

const KEYS_KEPT = 512;
const keys = new Map<string, string>(); // by name as applications write it

/** The environ key of a field name. */
function keyOf(name: string): string {
  let key = keys.get(name);
  if (key === undefined) {
    key = `HTTP_${name.toUpperCase().replaceAll("-", "_")}`;
    if (key === "HTTP_CONTENT_TYPE" || key === "HTTP_CONTENT_LENGTH") key = key.slice("HTTP_".length);
    // A name with an underscore would find the field with a hyphen; what is no name is a TypeError of the real one.
    if (!/^[A-Za-z0-9-]+$/.test(name)) key = "";
    if (keys.size === KEYS_KEPT) keys.clear();
    keys.set(name, key);
  }
  return key;
}

const names = new Map<string, string>(); // by key, in lower case

/** The field name of an environ key, in lower case; "" when the key is of no field. */
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

/** A `Headers` that reads from an environ. */
export class RequestHeaders {
  readonly #environ: Environ;
  readonly #make: () => Headers;
  #real: Headers | undefined;

  /** A view of the fields of `environ`; `make` gives the real one, without fields, when it is needed. */
  constructor(environ: Environ, make: () => Headers = () => new Headers()) {
    this.#environ = environ;
    this.#make = make;
  }

  /** Lets `real`, which has all fields, have the last word. */
  follow(real: Headers): void {
    this.#real = real;
  }

  /** The real `Headers` with all fields, which has the last word from now on. */
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

// What a runtime adds to Headers, as Bun does with toJSON(), is that of the real one.
leadOn(RequestHeaders.prototype, Headers.prototype, (headers: RequestHeaders) => headers.real());
