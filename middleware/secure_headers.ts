/**
 * Header fields that make browsers stricter.
 *
 * @module
 */

import type { HeaderList } from "../core/contract/types.ts";
import { describe, nearest } from "../core/errors.ts";
import { NOT_IN_VALUE, TOKEN } from "../core/grammar.ts";
import { checkMiddlewareObject } from "../http/options.ts";
import { changingHeaders, fieldValues, type Middleware } from "./middleware.ts";

/** The fields that have a default. */
export type SecureHeaderName =
  | "Content-Security-Policy"
  | "Cross-Origin-Opener-Policy"
  | "Cross-Origin-Resource-Policy"
  | "Origin-Agent-Cluster"
  | "Referrer-Policy"
  | "Strict-Transport-Security"
  | "X-Content-Type-Options"
  | "X-Frame-Options";

const DEFAULTS: Readonly<Record<SecureHeaderName, string>> = {
  "Content-Security-Policy":
    "default-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'; object-src 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Origin-Agent-Cluster": "?1",
  "Referrer-Policy": "no-referrer",
  "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "SAMEORIGIN",
};

/** Values by name. false leaves a field out; a name that is not among the defaults adds one. */
export type SecureHeadersOptions =
  & { readonly [Name in SecureHeaderName]?: string | false }
  & { readonly [name: string]: string | false | undefined };

/**
 * Adds fields that make browsers stricter: Content-Security-Policy for a site that loads from itself only,
 * Strict-Transport-Security over HTTPS only, X-Content-Type-Options, X-Frame-Options, Referrer-Policy,
 * Cross-Origin-Opener-Policy, Cross-Origin-Resource-Policy and Origin-Agent-Cluster. A field that the application sets
 * itself stays.
 *
 * @throws {TypeError} for a name that is no field or nearly that of a default, and for another value.
 *
 * @example
 * ```ts
 * import { secureHeaders } from "tsgi/middleware";
 * import { client } from "tsgi/testing";
 * const site = secureHeaders({ "Content-Security-Policy": "default-src 'none'", "X-Frame-Options": false })(
 *   (_environ, startResponse) => {
 *     startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *     return ["hello"];
 *   },
 * );
 * const { headers } = await client(site).get("/");
 * console.assert(headers.get("Content-Security-Policy") === "default-src 'none'");
 * console.assert(headers.get("X-Content-Type-Options") === "nosniff" && !headers.has("X-Frame-Options"));
 * ```
 */
export function secureHeaders(options: SecureHeadersOptions = {}): Middleware {
  const names = new Map(Object.entries(DEFAULTS).map(([name]) => [name.toLowerCase(), name]));
  const values: Record<string, string | false | undefined> = { ...DEFAULTS };
  checkMiddlewareObject("secureHeaders", options);
  for (const [given, value] of Object.entries(options)) {
    const name = names.get(given.toLowerCase()) ?? given;
    if (!Object.hasOwn(DEFAULTS, name)) checkName(name);
    if (value !== undefined && value !== false && typeof value !== "string") {
      throw new TypeError(`secureHeaders: expected a string or false as ${name}, got ${describe(value)}`);
    }
    if (typeof value === "string" && NOT_IN_VALUE.test(value)) {
      throw new TypeError(`secureHeaders: expected ${name} without line breaks and controls, got ${describe(value)}`);
    }
    values[name] = value;
  }
  const fields = Object.entries(values).filter((pair): pair is [string, string] => typeof pair[1] === "string");
  const plain: HeaderList = fields.filter(([name]) => name !== "Strict-Transport-Security");
  return (app) => (environ, startResponse) => {
    const own = environ["wsgi.url_scheme"] === "https" ? fields : plain;
    const start = changingHeaders(
      startResponse,
      (headers) => [...headers, ...own.filter(([name]) => fieldValues(headers, name.toLowerCase()).length === 0)],
    );
    return app(environ, start);
  };
}

/** Refuses a name that is no field, and one that is nearly that of a default: the default would be sent too. */
function checkName(name: string): void {
  const meant = nearest(name, Object.keys(DEFAULTS));
  if (meant === undefined && TOKEN.test(name)) return;
  const hint = meant === undefined ? "" : `; did you mean "${meant}"?`;
  throw new TypeError(`secureHeaders: expected the name of a header field, got ${describe(name)}${hint}`);
}
