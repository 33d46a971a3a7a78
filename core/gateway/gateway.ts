/**
 * What the invocations of one server share, and the errors that a response of its own accord can end with.
 *
 * @module
 */

import type { Host } from "../seams.ts";
import type { AccessLog } from "./access_log.ts";
import { asFunction } from "../contract/application.ts";
import { Background } from "./background.ts";
import type { ErrorStream } from "../contract/error_stream.ts";
import { InputError } from "../contract/request_body.ts";
import type { Application, ApplicationFunction } from "../contract/types.ts";

/**
 * `write()` was called when it may not be, or with more than it may send (PEP 3333, "The write() Callable" and "Handling
 * the Content-Length Header").
 */
export class WriteError extends Error {
  /** Name of the class. */
  override readonly name = "WriteError";
}

/** The response took longer than `requestTimeout`: the reason of `signal` then. */
export class RequestTimeoutError extends Error {
  /** Name of the class. */
  override readonly name = "RequestTimeoutError";
  /** The status the client gets when the head has not been sent. */
  readonly status = "503 Service Unavailable";
}

/** What invocations of one server share. */
export interface Gateway {
  /** The application in its function form. */
  app: ApplicationFunction;
  /** Where failures are reported. */
  readonly errors: ErrorStream;
  /** Bytes that `wsgi.input.readline()` reads at most when it is given no size. */
  readonly limitReadline: number;
  /** Bytes that `write()` takes above the high-water mark before it throws. */
  readonly writeBufferLimit: number;
  /** Runs a callback in a later turn of the event loop. */
  turn(callback: () => void): void;
  /** Gets a record of each response that has ended; undefined where nobody wants them. */
  readonly accessLog?: AccessLog | undefined;
  /** Called when the `close()` of a body has settled: then nothing of an invocation is left. */
  closed?(): void;
  /** What goes on behind responses. */
  readonly background: Background;
}

/** Those of its parts that are options. */
type GatewayOptions = Pick<Gateway, "limitReadline" | "writeBufferLimit" | "accessLog">;

/**
 * The shared part of all invocations of one application.
 *
 * @throws {ApplicationError} when `app` is no application.
 */
export function createGateway(
  app: Application,
  errors: ErrorStream,
  { limitReadline, writeBufferLimit, accessLog }: GatewayOptions,
  host: Pick<Host, "turn">,
): Gateway {
  return {
    app: asFunction(app),
    errors,
    limitReadline,
    writeBufferLimit,
    accessLog,
    turn: (callback) => host.turn(callback),
    background: new Background(),
  };
}

/** What the client is told of an error. Never throws, whatever was thrown. */
export function statusOf(error: unknown): string {
  try {
    if (error instanceof InputError || error instanceof RequestTimeoutError) return error.status;
  } catch {
    // A revoked proxy, for one.
  }
  return "500 Internal Server Error";
}
