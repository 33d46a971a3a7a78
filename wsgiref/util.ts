/**
 * Helpers for applications, middleware and tests, like `wsgiref.util`.
 *
 * Paths in an environ are decoded, with one code unit per octet. URLs made here are percent-encoded again, octet by
 * octet.
 *
 * @module
 */

import { ErrorStream } from "../core/contract/error_stream.ts";
import { FileWrapper } from "../core/contract/file_wrapper.ts";
import { InputStream } from "../core/contract/input_stream.ts";
import { RequestBody } from "../core/contract/request_body.ts";
import type { Environ } from "../core/contract/types.ts";

export { isHopByHop } from "../core/grammar.ts";
export { FileWrapper };
export type { FileLike } from "../core/contract/file_wrapper.ts";

/** An environ that may be incomplete. */
export type PartialEnviron = Partial<Environ> | Record<string, unknown>;

const LIMIT_READLINE = 65536; // bytes, as in the options of a server

/**
 * Derives the scheme from a CGI environment: `"https"` when HTTPS is `on`, `1` or `yes`, else `"http"`.
 *
 * @param environ Any object with CGI variables.
 *
 * @example
 * ```ts
 * import { guessScheme } from "tsgi/wsgiref/util";
 * console.assert(guessScheme({ HTTPS: "on" }) === "https" && guessScheme({}) === "http");
 * ```
 */
export function guessScheme(environ: PartialEnviron): "http" | "https" {
  return environ.HTTPS === "on" || environ.HTTPS === "1" || environ.HTTPS === "yes" ? "https" : "http";
}

/**
 * The URL of the application: scheme, host and SCRIPT_NAME (PEP 3333, "URL Reconstruction").
 *
 * @param environ Needs `wsgi.url_scheme`, and HTTP_HOST or else SERVER_NAME and SERVER_PORT.
 * @returns the URL; it ends with a slash when SCRIPT_NAME is empty.
 *
 * @example
 * ```ts
 * import { applicationUri } from "tsgi/wsgiref/util";
 * const environ = { "wsgi.url_scheme": "http", SERVER_NAME: "localhost", SERVER_PORT: "8000", SCRIPT_NAME: "/spammity" };
 * console.assert(applicationUri(environ) === "http://localhost:8000/spammity");
 * ```
 */
export function applicationUri(environ: PartialEnviron): string {
  const scheme = text(environ["wsgi.url_scheme"]);
  const usual = scheme === "https" ? "443" : "80";
  const port = text(environ.SERVER_PORT);
  const host = text(environ.HTTP_HOST) || `${text(environ.SERVER_NAME)}${port === usual ? "" : `:${port}`}`;
  return `${scheme}://${host}${quote(text(environ.SCRIPT_NAME) || "/", NOT_IN_SCRIPT_NAME)}`;
}

/**
 * The URL of the request (PEP 3333, "URL Reconstruction").
 *
 * @param environ As for {@linkcode applicationUri}.
 * @param includeQuery Whether to include the query, if there is one. Default true.
 *
 * @example
 * ```ts
 * import { requestUri, setupTestingDefaults } from "tsgi/wsgiref/util";
 * const environ = setupTestingDefaults({ PATH_INFO: "/sp\u00e4m", SCRIPT_NAME: "", QUERY_STRING: "say=ni" });
 * console.assert(requestUri(environ) === "http://127.0.0.1/sp%E4m?say=ni");
 * console.assert(requestUri(environ, false) === "http://127.0.0.1/sp%E4m");
 * ```
 */
export function requestUri(environ: PartialEnviron, includeQuery: boolean = true): string {
  const path = quote(text(environ.PATH_INFO), NOT_IN_PATH_INFO);
  const own = text(environ.SCRIPT_NAME) === "" ? path.slice(1) : path; // the slash is there already
  const query = includeQuery && text(environ.QUERY_STRING) !== "" ? `?${text(environ.QUERY_STRING)}` : "";
  return `${applicationUri(environ)}${own}${query}`;
}

const NOT_IN_SCRIPT_NAME = /[^A-Za-z0-9_.\-~/]/gu;
const NOT_IN_PATH_INFO = /[^A-Za-z0-9_.\-~/;=,]/gu;
const encoder = new TextEncoder();

/** Percent-encodes what `unsafe` matches: a latin-1 code unit as one octet, anything else as UTF-8. */
function quote(path: string, unsafe: RegExp): string {
  return path.replace(unsafe, (unit) => {
    const code = unit.charCodeAt(0);
    const octets = code > 0xff ? [...encoder.encode(unit)] : [code];
    return octets.map((octet) => `%${octet.toString(16).toUpperCase().padStart(2, "0")}`).join("");
  });
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/**
 * Moves the first segment of PATH_INFO to the end of SCRIPT_NAME, in place. This is one step in routing a request
 * through a tree of applications. Empty segments and `.` are skipped, and `..` removes a segment from SCRIPT_NAME.
 * (This is what wsgiref does, with one difference: the surplus slashes of a SCRIPT_NAME that is `/` or begins with two
 * slashes are removed. No server gives such a SCRIPT_NAME.)
 *
 * @returns the segment; `""` for the slash at the end of a path, which is then added to SCRIPT_NAME, so that `/x/` and
 * `/x` stay different; null when PATH_INFO is empty or only `/.`.
 *
 * @example
 * ```ts
 * import { shiftPathInfo } from "tsgi/wsgiref/util";
 * const environ = { SCRIPT_NAME: "/a", PATH_INFO: "/x/y" };
 * console.assert(shiftPathInfo(environ) === "x");
 * console.assert(environ.SCRIPT_NAME === "/a/x" && environ.PATH_INFO === "/y");
 * ```
 */
export function shiftPathInfo(environ: PartialEnviron): string | null {
  const path = text(environ.PATH_INFO);
  if (path === "") return null;
  const segments = (path.startsWith("/") ? path.slice(1) : path).split("/");
  const last = segments.pop() ?? "";
  const [name = "", ...rest] = [...segments.filter((segment) => segment !== "" && segment !== "."), last];
  const below = normalPath(`${text(environ.SCRIPT_NAME)}/${name}`);
  environ.SCRIPT_NAME = name === "" ? `${below}/` : below;
  environ.PATH_INFO = rest.map((segment) => `/${segment}`).join("");
  return name === "." ? null : name;
}

/** Normalizes a path: removes empty segments, resolves `.` and `..`, and removes a slash at the end. */
function normalPath(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "..") kept.pop();
    else if (segment !== "" && segment !== ".") kept.push(segment);
  }
  return kept.map((segment) => `/${segment}`).join("");
}

/**
 * Fills an environ with the variables that an application may expect, for tests. Existing values are kept. The new
 * values are made up, so no server should use this.
 *
 * @param environ The environ, changed in place.
 * @returns the same object, complete except for `tsgi.request`.
 *
 * @example
 * ```ts
 * import { setupTestingDefaults } from "tsgi/wsgiref/util";
 * const environ = setupTestingDefaults({ HTTPS: "on" });
 * console.assert(environ["wsgi.url_scheme"] === "https" && environ.SERVER_PORT === "443");
 * console.assert(environ.HTTP_HOST === "127.0.0.1" && environ.PATH_INFO === "/");
 * ```
 */
export function setupTestingDefaults(environ: PartialEnviron): Environ {
  const target = environ as Record<string, unknown>;
  const byDefault = (key: string, value: () => unknown): void => void (key in target || (target[key] = value()));
  byDefault("SERVER_NAME", () => "127.0.0.1");
  byDefault("SERVER_PROTOCOL", () => "HTTP/1.0");
  byDefault("HTTP_HOST", () => target.SERVER_NAME);
  byDefault("REQUEST_METHOD", () => "GET");
  if (!("SCRIPT_NAME" in target) && !("PATH_INFO" in target)) target.PATH_INFO = "/";
  byDefault("SCRIPT_NAME", () => "");
  byDefault("PATH_INFO", () => "");
  byDefault("QUERY_STRING", () => "");
  byDefault("wsgi.version", () => [1, 0]);
  byDefault("wsgi.run_once", () => false);
  byDefault("wsgi.multithread", () => false);
  byDefault("wsgi.multiprocess", () => false);
  byDefault("wsgi.input", () => new InputStream(RequestBody.empty(), LIMIT_READLINE));
  byDefault("wsgi.input_terminated", () => true);
  byDefault("wsgi.errors", () => new ErrorStream(() => {}));
  byDefault(
    "wsgi.file_wrapper",
    () => (...args: ConstructorParameters<typeof FileWrapper>) => new FileWrapper(...args),
  );
  byDefault("wsgi.url_scheme", () => guessScheme(environ));
  byDefault("SERVER_PORT", () => target["wsgi.url_scheme"] === "https" ? "443" : "80");
  byDefault("REQUEST_URI", () => requestTarget(environ));
  return target as Environ;
}

function requestTarget(environ: PartialEnviron): string {
  const path = quote(`${text(environ.SCRIPT_NAME)}${text(environ.PATH_INFO)}` || "/", NOT_IN_PATH_INFO);
  return text(environ.QUERY_STRING) === "" ? path : `${path}?${text(environ.QUERY_STRING)}`;
}
