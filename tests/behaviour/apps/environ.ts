/**
 * Applications that show the environ as they got it.
 *
 * @module
 */

import type { Environ } from "../../../core/contract/types.ts";
import { json, type Table } from "./record.ts";

/** What `/environ` tells of its environ. */
export interface Dump {
  /** All keys whose value is a string. */
  readonly strings: Readonly<Record<string, string>>;
  /** `typeof` of every value. */
  readonly types: Readonly<Record<string, string>>;
  readonly version: unknown;
  readonly scheme: unknown;
  readonly multithread: unknown;
  readonly multiprocess: unknown;
  readonly runOnce: unknown;
  readonly inputTerminated: unknown;
  /** Whether the environ is a plain object of writable, enumerable data properties. */
  readonly plain: boolean;
  /** Keys that `for in` sees but are not its own. */
  readonly inherited: readonly string[];
  /** The URL as PEP 3333 reconstructs it. */
  readonly url: string;
}

function isPlain(environ: Environ): boolean {
  const prototype: unknown = Object.getPrototypeOf(environ);
  if (prototype !== Object.prototype && prototype !== null) return false;
  if (!Object.isExtensible(environ)) return false;
  return Object.values(Object.getOwnPropertyDescriptors(environ))
    .every((d) => "value" in d && d.writable === true && d.enumerable === true && d.configurable === true);
}

/** PEP 3333, "URL Reconstruction", line by line. */
function url(environ: Environ): string {
  const quote = (text: string): string =>
    text.replace(/[^A-Za-z0-9_.\-~/]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
  let out = `${environ["wsgi.url_scheme"]}://`;
  if (environ.HTTP_HOST) out += environ.HTTP_HOST;
  else {
    out += environ.SERVER_NAME;
    const usual = environ["wsgi.url_scheme"] === "https" ? "443" : "80";
    if (environ.SERVER_PORT !== usual) out += `:${environ.SERVER_PORT}`;
  }
  out += quote(environ.SCRIPT_NAME) + quote(environ.PATH_INFO);
  return environ.QUERY_STRING ? `${out}?${environ.QUERY_STRING}` : out;
}

function dump(environ: Environ): Dump {
  const own = Object.entries(environ);
  const inherited: string[] = [];
  for (const key in environ) if (!Object.hasOwn(environ, key)) inherited.push(key);
  return {
    strings: Object.fromEntries(own.filter((pair): pair is [string, string] => typeof pair[1] === "string")),
    types: Object.fromEntries(own.map(([key, value]) => [key, typeof value])),
    version: environ["wsgi.version"],
    scheme: environ["wsgi.url_scheme"],
    multithread: environ["wsgi.multithread"],
    multiprocess: environ["wsgi.multiprocess"],
    runOnce: environ["wsgi.run_once"],
    inputTerminated: environ["wsgi.input_terminated"],
    plain: isPlain(environ),
    inherited,
    url: url(environ),
  };
}

/** Routes: `environ` shows it, `scribble` shows it and then damages every part of it. */
export const environTable: Table = {
  environ: (environ, startResponse) => json(startResponse, dump(environ)),
  scribble: (environ, startResponse) => {
    const body = json(startResponse, dump(environ));
    for (const key of Object.keys(environ)) {
      if (key.length % 2 === 0) delete environ[key];
      else environ[key] = "scribbled";
    }
    environ.HTTP_X_LEAK = "leak";
    environ["test.leak"] = "leak";
    return body;
  },
};
