/**
 * Answers for errors of the application.
 *
 * PEP 3333 lets a response be replaced until its head is sent ("Error Handling"). Until then an error becomes a page;
 * afterwards it goes on to the server, which cuts the response off.
 *
 * @module
 */

import { requestReport } from "../core/contract/error_stream.ts";
import { ClientDisconnectedError, InputError } from "../core/contract/request_body.ts";
import type { Environ, StartResponse } from "../core/contract/types.ts";
import { errorText } from "../core/errors.ts";
import { escapeHtml } from "../http/answer.ts";
import { HttpError } from "../http/error.ts";
import { negotiate } from "../http/media_type.ts";
import { checkMiddlewareOptions, type OptionNames } from "../http/options.ts";
import { type Middleware, rescued, whenReturned } from "./middleware.ts";

/** What a page says. */
export interface ErrorDescription {
  /** Code and reason: `"404 Not Found"`. */
  readonly status: string;
  /** The code alone. */
  readonly code: number;
  /** What was wrong, for errors of the client; the reason for others. */
  readonly detail: string;
  /** What was thrown. It may have secrets in it. */
  readonly error: unknown;
}

/** Options of {@linkcode errorPage}. */
export interface ErrorPageOptions {
  /** Makes the HTML of a page. Text of the description has to be escaped. Default: a page of two lines. */
  readonly page?: (description: ErrorDescription, environ: Environ) => string;
}

const OPTIONS: OptionNames<ErrorPageOptions> = { page: true };
const TYPES = ["text/plain", "text/html", "application/json", "application/problem+json"] as const;

/**
 * Makes responses of errors that the application throws before its head is sent, also while its body is made. An
 * `HttpError` and errors of reading `wsgi.input` have their own status, anything else is a 500, whose trace goes to
 * `wsgi.errors`. The client gets HTML, plain text or JSON (RFC 9457), whichever it accepts.
 *
 * An error that only says that the client has gone passes. So does an error that would be a 500 where
 * `environ["tsgi.debug"]` is true: `tsgi dev` answers it with its source.
 *
 * @example
 * ```ts
 * import { HttpError } from "tsgi/http";
 * import { errorPage } from "tsgi/middleware";
 * import { client } from "tsgi/testing";
 * const site = errorPage()((environ) => {
 *   if (environ.PATH_INFO === "/bug") throw new Error("secret");
 *   throw new HttpError(404, "No such todo");
 * });
 * const response = await client(site).get("/", { headers: { Accept: "application/json" } });
 * console.assert(await response.text() === '{"status":404,"title":"Not Found","detail":"No such todo"}');
 * console.assert(await (await client(site).get("/bug")).text() === "500 Internal Server Error\n");
 * ```
 */
export function errorPage(options: ErrorPageOptions = {}): Middleware {
  checkMiddlewareOptions("errorPage", options, OPTIONS);
  const { page = defaultPage } = options;
  return (app) => (environ, startResponse) => {
    const rescue = (error: unknown): string => answer(error, environ, startResponse, page);
    try {
      const body = whenReturned(app(environ, startResponse), (body) => rescued(body, rescue));
      return body instanceof Promise ? body.catch((error) => [rescue(error)]) : body;
    } catch (error) {
      return [rescue(error)];
    }
  };
}

function answer(
  error: unknown,
  environ: Environ,
  startResponse: StartResponse,
  page: NonNullable<ErrorPageOptions["page"]>,
): string {
  if (error instanceof ClientDisconnectedError || environ["tsgi.request"]?.signal.aborted) throw error;
  const status = error instanceof InputError ? error.status : "500 Internal Server Error";
  const code = Number(status.slice(0, 3));
  if (code === 500 && environ["tsgi.debug"] === true) throw error; // the server shows where it was thrown
  const title = status.slice(4);
  const detail = code < 500 ? (error as InputError).message : title;
  const type = negotiate(environ, TYPES) ?? "text/plain";
  const content = type === "text/html"
    ? page({ status, code, detail, error }, environ)
    : type === "text/plain"
    ? `${status}${detail === title ? "" : `\n${detail}`}\n`
    : JSON.stringify({ status: code, title, detail });
  const own = error instanceof HttpError ? error.headers : [];
  // The third argument replaces a head that was not sent. If it was sent, the call throws, and so the error goes on.
  startResponse(status, [
    ["Content-Type", type.startsWith("text/") ? `${type}; charset=utf-8` : type],
    ["Cache-Control", "no-store"],
    ["Vary", "Accept"],
    ...own,
  ], error ?? new Error(`Thrown value that is no Error: ${error}`));
  if (code >= 500) {
    environ["wsgi.errors"].write(requestReport(environ.REQUEST_METHOD, environ.REQUEST_URI, errorText(error)));
  }
  return content;
}

function defaultPage({ status, detail }: ErrorDescription): string {
  return `<!doctype html>\n<meta charset="utf-8">\n<title>${escapeHtml(status)}</title>\n<h1>${
    escapeHtml(status)
  }</h1>\n` +
    `<p>${escapeHtml(detail)}</p>\n`;
}
