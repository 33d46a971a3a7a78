/**
 * Errors that say which status the client gets.
 *
 * `HttpError` is an `InputError`, and the server answers an uncaught `InputError` with its status. So malformed input is
 * a 400 in an application that catches nothing. `errorPage` of `tsgi/middleware` makes a page of the same error.
 *
 * @module
 */

import { REASONS } from "../core/contract/status_reasons.ts";
import { InputError } from "../core/contract/request_body.ts";
import type { HeaderList } from "../core/contract/types.ts";
import { describe } from "../core/errors.ts";
import { checkHeaders, checkOptions, type OptionNames } from "./options.ts";

/**
 * The status that `startResponse` takes, from a code. A code without a registered reason gets an empty one.
 *
 * @param status A code from 200 to 599, or a complete status, which stays as it is.
 * @throws {RangeError} for another number.
 *
 * @example
 * ```ts
 * import { statusLine } from "tsgi/http";
 * console.assert(statusLine(404) === "404 Not Found" && statusLine("200 Fine") === "200 Fine");
 * ```
 */
export function statusLine(status: number | string): string {
  if (typeof status === "string") return status;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`Expected a status code from 200 to 599, got ${describe(status)}`);
  }
  return `${status} ${REASONS[status] ?? ""}`;
}

/** Options of {@linkcode HttpError}. */
export interface HttpErrorOptions extends ErrorOptions {
  /** Header fields of the response: Allow, Retry-After, WWW-Authenticate. `errorPage` sends them, the server does not. */
  readonly headers?: HeaderList;
}

const OPTIONS: OptionNames<HttpErrorOptions> = { cause: true, headers: true };

/**
 * An error with the status that the client gets. The functions of `tsgi/http` throw it for what a client sent: 400 for
 * malformed input, 413 for too much of it, 415 for another media type. Applications may throw it too.
 *
 * The client sees the message only in pages of `errorPage`, and only below 500.
 *
 * @example
 * ```ts
 * import { HttpError } from "tsgi/http";
 * import { client } from "tsgi/testing";
 * const app = () => {
 *   throw new HttpError(404, "No such todo");
 * };
 * console.assert((await client(app).get("/todos/7")).status === 404);
 * ```
 */
export class HttpError extends InputError {
  /** Name of the class. */
  override readonly name = "HttpError";
  /** Code and reason, as `startResponse` takes them. */
  override readonly status: string;
  /** The code alone. */
  readonly code: number;
  /** Header fields of the response. */
  readonly headers: HeaderList;

  /**
   * An error with a status.
   *
   * @param code From 400 to 599.
   * @param message What was wrong. Default: the reason of the status.
   * @throws {RangeError} for another code.
   */
  constructor(code: number, message?: string, options: HttpErrorOptions = {}) {
    const status = statusLine(code);
    if (code < 400) throw new RangeError(`HttpError: expected a code from 400 to 599, got ${describe(code)}`);
    checkOptions("HttpError", options, OPTIONS);
    checkHeaders("HttpError", options.headers);
    super(message ?? status.slice(4), options);
    this.status = status;
    this.code = code;
    this.headers = options.headers ?? [];
  }
}
