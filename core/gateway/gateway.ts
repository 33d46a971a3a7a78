/**
 * The state that all invocations of one server share, and the errors with which the gateway itself ends a response.
 *
 * Part of that state is the work that continues after responses: the promises that applications passed to
 * `tsgi.request.waitUntil`. A server that shuts down, and a CGI script that ends, wait for these promises for as long as
 * for running requests.
 *
 * @module
 */

import type { Exchange, HeaderList, Host } from "../seams.ts";
import { asFunction } from "../contract/application.ts";
import type { ErrorStream } from "../contract/error_stream.ts";
import { errorText } from "../errors.ts";
import { InputError } from "../contract/request_body.ts";
import { responseHead } from "../contract/response_head.ts";
import type { Application, ApplicationFunction, Environ } from "../contract/types.ts";

/**
 * The application called `write()` when it may not, or with too many bytes (PEP 3333, "The write() Callable" and
 * "Handling the Content-Length Header").
 */
export class WriteError extends Error {
  /** Name of the class. */
  override readonly name = "WriteError";
}

/** The message for a call of `write()` that comes too late. */
export const RETURNED =
  "write: called after the application has returned; await all writes before, or yield the blocks";

/** The response took longer than `requestTimeout`. The reason of `signal` in this case. */
export class RequestTimeoutError extends Error {
  /** Name of the class. */
  override readonly name = "RequestTimeoutError";
  /** The status that the client gets if the head has not been sent. */
  readonly status = "503 Service Unavailable";
}

/** The pending promises of one server. */
export class Background {
  readonly #running = new Set<PromiseLike<unknown>>();
  #idle: (() => void)[] = []; // called once none is pending

  /** Number of pending promises. */
  get size(): number {
    return this.#running.size;
  }

  /** Adds a promise. If it rejects, `failed` gets the error. */
  add(promise: PromiseLike<unknown>, failed: (error: unknown) => void): void {
    const settled = (): void => {
      this.#running.delete(handled);
      if (this.#running.size > 0) return;
      const idle = this.#idle;
      this.#idle = [];
      for (const tell of idle) tell();
    };
    const handled: Promise<void> = Promise.resolve(promise).then(settled, (error) => {
      failed(error);
      settled();
    });
    this.#running.add(handled);
  }

  /** Calls `tell` once no promise is pending, which may be at once. */
  whenIdle(tell: () => void): void {
    if (this.#running.size === 0) tell();
    else this.#idle.push(tell);
  }
}

/** A response to a request that has failed. */
export interface FailurePage {
  readonly status: string;
  readonly headers: HeaderList;
  readonly body: string;
}

/** Makes the response to a request that has failed; undefined for the status alone. */
export type ErrorPage = (error: unknown, environ: Environ) => FailurePage | undefined;

/** Reports responses to an access log: see `access_log.ts`. */
export interface ResponseLog {
  /** An exchange that passes everything on to `exchange`, and reports the response to `environ` when it has ended. */
  exchange(exchange: Exchange, environ: Environ): Exchange;
  /** Reports a request that a wire has refused. `environ` has what is known of it. */
  refused(status: string, environ: Environ): void;
}

/** The state that all invocations of one server share. */
export interface Gateway {
  /** The application in its function form. */
  app: ApplicationFunction;
  /** The stream that failures are reported to. */
  readonly errors: ErrorStream;
  /** Most bytes that `wsgi.input.readline()` reads without a size. */
  readonly limitReadline: number;
  /** Most bytes that `write()` accepts above the high-water mark before it throws. */
  readonly writeBufferLimit: number;
  /** Runs a callback in a later turn of the event loop. */
  turn(callback: () => void): void;
  /** Reports responses; undefined if there is no access log. Set before the first request. */
  log?: ResponseLog | undefined;
  /** Makes the response if an application fails before its response has begun. Default: the status alone. */
  readonly errorPage?: ErrorPage | undefined;
  /** Called when the `close()` of a body has settled, which is the end of an invocation. */
  closed?(): void;
  /** Work that continues after responses. */
  readonly background: Background;
}

/** The parts of a gateway that come from options. */
type GatewayOptions = Pick<Gateway, "limitReadline" | "writeBufferLimit" | "errorPage">;

/**
 * Creates the state that all invocations of one application share.
 *
 * @throws {ApplicationError} when `app` is not an application.
 */
export function createGateway(
  app: Application,
  errors: ErrorStream,
  { limitReadline, writeBufferLimit, errorPage }: GatewayOptions,
  host: Pick<Host, "turn">,
): Gateway {
  return {
    app: asFunction(app),
    errors,
    limitReadline,
    writeBufferLimit,
    errorPage,
    turn: (callback) => host.turn(callback),
    background: new Background(),
  };
}

/** The status that the client gets for an error. Never throws, whatever value the error is. */
export function statusOf(error: unknown): string {
  try {
    if (error instanceof InputError || error instanceof RequestTimeoutError) return error.status;
  } catch {
    // The check itself can throw, for example for a revoked proxy.
  }
  return "500 Internal Server Error";
}

/** Answers a request that has failed with the page of the gateway, or with the status alone. */
export function refuse(gateway: Gateway, exchange: Exchange, status: string, error: unknown, environ: Environ): void {
  const page = status.startsWith("500") ? pageFor(gateway, error, environ) : undefined;
  if (page === undefined) return exchange.refuse(status);
  const body = new TextEncoder().encode(page.body);
  const bodyless = environ.REQUEST_METHOD === "HEAD";
  exchange.head(responseHead(page.status, page.headers), body.length, bodyless);
  if (!bodyless) exchange.body(body);
  exchange.end();
}

function pageFor({ errorPage, errors }: Gateway, error: unknown, environ: Environ): FailurePage | undefined {
  try {
    return errorPage?.(error, environ);
  } catch (second) {
    errors.write(`tsgi: the page of an error: ${errorText(second)}\n`);
    return undefined;
  }
}
