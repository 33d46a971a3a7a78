/**
 * Applications below prefixes of the path (PEP 3333, "environ Variables": SCRIPT_NAME and PATH_INFO).
 *
 * @module
 */

import { asFunction } from "../core/contract/application.ts";
import type { Application, ApplicationFunction, Environ } from "../core/contract/types.ts";
import { describe } from "../core/errors.ts";
import { CONTROL } from "../core/grammar.ts";
import { text } from "../http/answer.ts";
import { latin1 } from "../http/query.ts";

/**
 * Gives each request to the application with the longest prefix of its path. The prefix moves from PATH_INFO to
 * SCRIPT_NAME, so the application does not know where it is mounted. Only whole segments count: `/api` is the prefix of
 * `/api` and `/api/x`, not of `/apis`. Without a match it answers 404.
 *
 * @param applications By prefix. `"/"` takes the rest.
 * @throws {TypeError} for a prefix that is no path, or ends with a slash.
 *
 * @example
 * ```ts
 * import type { Environ, StartResponse } from "tsgi";
 * import { mount } from "tsgi/middleware";
 * import { client } from "tsgi/testing";
 * const where = (environ: Environ, startResponse: StartResponse) => {
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return [`${environ.SCRIPT_NAME}|${environ.PATH_INFO}`];
 * };
 * const visitor = client(mount({ "/api": where, "/api/v2": where }));
 * console.assert(await (await visitor.get("/api/v2/users")).text() === "/api/v2|/users");
 * console.assert(await (await visitor.get("/api")).text() === "/api|");
 * console.assert((await visitor.get("/apis")).status === 404);
 * ```
 */
export function mount(applications: Readonly<Record<string, Application>>): ApplicationFunction {
  const places = Object.entries(applications)
    .map(([prefix, app]) => ({ prefix: mountPoint(prefix), app: asFunction(app) }))
    .sort((a, b) => b.prefix.length - a.prefix.length);
  return (environ, startResponse) => {
    const place = places.find(({ prefix }) => isBelow(environ.PATH_INFO, prefix));
    if (place === undefined) return text(startResponse, "404 Not Found\n", { status: 404 });
    descend(environ, place.prefix.length);
    return place.app(environ, startResponse);
  };
}

/** A prefix as PATH_INFO has it: UTF-8, one code unit for each octet, and `""` for the root. */
function mountPoint(prefix: string): string {
  if (prefix === "/" || prefix === "") return "";
  if (!prefix.startsWith("/") || prefix.endsWith("/") || CONTROL.test(prefix)) {
    throw new TypeError(`mount: expected a path like "/api" without a slash at its end, got ${describe(prefix)}`);
  }
  return latin1(prefix);
}

function isBelow(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f);
}

/** Moves the first `length` octets of PATH_INFO to the end of SCRIPT_NAME. */
export function descend(environ: Environ, length: number): void {
  environ.SCRIPT_NAME += environ.PATH_INFO.slice(0, length);
  environ.PATH_INFO = environ.PATH_INFO.slice(length);
}
