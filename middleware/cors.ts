/**
 * Cross-origin requests (Fetch, "HTTP extensions": CORS protocol).
 *
 * @module
 */

import type { Environ, HeaderList } from "../core/contract/types.ts";
import { describe } from "../core/errors.ts";
import { TOKEN } from "../core/grammar.ts";
import { checkMiddlewareOptions, type OptionNames } from "../http/options.ts";
import { changingHeaders, fieldValues, type Middleware, varying } from "./middleware.ts";

/** Options of {@linkcode cors}. */
export interface CorsOptions {
  /** Who may read: `"*"` (default), origins such as `"https://example.org"`, or a function that decides. */
  readonly origin?: "*" | string | readonly string[] | ((origin: string, environ: Environ) => boolean);
  /** Methods that a preflight allows. Default GET, HEAD, PUT, PATCH, POST, DELETE. */
  readonly methods?: readonly string[];
  /** Request fields that a preflight allows. Default: those that it asks for. */
  readonly allowHeaders?: readonly string[];
  /** Response fields that scripts may read besides the safe ones. */
  readonly exposeHeaders?: readonly string[];
  /** Whether requests may have cookies. Not with `"*"`: any site could act for your users. Default false. */
  readonly credentials?: boolean;
  /** For how many seconds a browser may keep a preflight. Default: that of the browser, 5. */
  readonly maxAge?: number;
}

const OPTIONS: OptionNames<CorsOptions> = {
  origin: true,
  methods: true,
  allowHeaders: true,
  exposeHeaders: true,
  credentials: true,
  maxAge: true,
};
const METHODS = ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"];
const ORIGIN = /^(?:null|[a-z][a-z0-9+.-]*:\/\/[^/\s,]+)$/;

/**
 * Lets scripts of other origins read responses, and answers preflight requests itself. A request without an Origin field
 * passes. CORS does not stop a request from another site, it only keeps its script from reading the answer. A response
 * with an Access-Control-Allow-Origin of the application stays as it is.
 *
 * @throws {TypeError} for `credentials` with `"*"`, and for what is no origin, method or field name.
 *
 * @example
 * ```ts
 * import { cors } from "tsgi/middleware";
 * import { client } from "tsgi/testing";
 * const site = cors({ origin: "https://example.org" })((_environ, startResponse) => {
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return ["hello"];
 * });
 * const response = await client(site).get("/", { headers: { Origin: "https://example.org" } });
 * console.assert(response.headers.get("Access-Control-Allow-Origin") === "https://example.org");
 * ```
 */
export function cors(options: CorsOptions = {}): Middleware {
  checkMiddlewareOptions("cors", options, OPTIONS);
  const { origin = "*", methods = METHODS, allowHeaders, exposeHeaders = [], credentials = false, maxAge } = options;
  const origins = typeof origin === "function" || origin === "*" ? [] : Array.isArray(origin) ? origin : [origin];
  const wrong = origins.findIndex((one: unknown) => typeof one !== "string" || !ORIGIN.test(one));
  if (wrong >= 0) {
    throw new TypeError(`cors: expected an origin like "https://example.org", got ${describe(origins[wrong])}`);
  }
  if (credentials && origin === "*") throw new TypeError('cors: credentials need named origins, not "*"');
  checkNames("methods", methods, credentials);
  checkNames("allowHeaders", allowHeaders ?? [], credentials);
  checkNames("exposeHeaders", exposeHeaders, credentials);
  if (maxAge !== undefined && !Number.isSafeInteger(maxAge)) {
    throw new TypeError(`cors: expected whole seconds as maxAge, got ${describe(maxAge)}`);
  }
  const allowed = (from: string, environ: Environ): boolean => {
    if (typeof origin !== "function") return origin === "*" || origins.includes(from);
    const decision: unknown = origin(from, environ);
    if (typeof decision === "boolean") return decision; // a promise would allow everybody
    throw new TypeError(`cors: expected true or false from the function origin, got ${describe(decision)}`);
  };
  const common = (from: string): HeaderList => [
    ["Access-Control-Allow-Origin", origin === "*" ? "*" : from],
    ...credentials ? [["Access-Control-Allow-Credentials", "true"] as const] : [],
  ];
  const exposed: HeaderList = exposeHeaders.length === 0
    ? []
    : [["Access-Control-Expose-Headers", exposeHeaders.join(", ")]];

  return (app) => (environ, startResponse) => {
    const from = environ.HTTP_ORIGIN;
    const asked = environ.HTTP_ACCESS_CONTROL_REQUEST_METHOD;
    const fields = from !== undefined && allowed(from, environ) ? common(from) : [];
    if (from !== undefined && asked !== undefined && environ.REQUEST_METHOD === "OPTIONS") {
      const names = allowHeaders?.join(", ") ?? environ.HTTP_ACCESS_CONTROL_REQUEST_HEADERS ?? "";
      startResponse("204 No Content", [
        ...fields,
        ...fields.length === 0 ? [] : [
          ["Access-Control-Allow-Methods", methods.join(", ")] as const,
          ...names === "" ? [] : [["Access-Control-Allow-Headers", names] as const],
          ...maxAge === undefined ? [] : [["Access-Control-Max-Age", String(maxAge)] as const],
        ],
        ["Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"],
      ]);
      return [];
    }
    const start = changingHeaders(startResponse, (headers) => {
      // Browsers refuse a response with two origins. An application that names one decides for itself.
      const decided = fields.length === 0 || fieldValues(headers, "access-control-allow-origin").length > 0;
      const own = decided ? headers : [...headers, ...fields, ...exposed];
      return origin === "*" ? own : varying(own, "Origin");
    });
    return app(environ, start);
  };
}

/** Refuses what is no list of methods or field names, and `*` where browsers take it for a name. */
function checkNames(option: string, names: unknown, credentials: boolean): void {
  const what = option === "methods" ? "methods" : "field names";
  if (!Array.isArray(names)) {
    throw new TypeError(`cors: expected a list of ${what} as ${option}, got ${describe(names)}`);
  }
  const bad = names.findIndex((one: unknown) => typeof one !== "string" || !TOKEN.test(one));
  if (bad >= 0) throw new TypeError(`cors: expected a list of ${what} as ${option}, got ${describe(names[bad])} in it`);
  if (!credentials || !names.includes("*")) return;
  const advice = option === "allowHeaders" ? "; leave it out to allow what is asked for" : "";
  throw new TypeError(`cors: with credentials browsers take "*" in ${option} for a name: name all${advice}`);
}
