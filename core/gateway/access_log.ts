/**
 * Reports each response to the access log: once, when it has ended, for whatever reason.
 *
 * `LoggedExchange` is an Exchange between an invocation and the wire, and counts what passes. A server without an access
 * log creates none, so that logging costs nothing there. A request that a wire refuses never reaches an application and
 * has no such Exchange: the wire reports it with `logRefusal`, and with what it knows of the request.
 *
 * @module
 */

import type { Exchange, HeaderList, Octets, RawSocket, ResponseHead } from "../seams.ts";
import { errorText } from "../errors.ts";
import type { ErrorStream } from "../contract/error_stream.ts";
import type { Environ } from "../contract/types.ts";

/** One response that has ended. */
export interface AccessRecord {
  /**
   * The environ, as the application has left it. For a refused request it has only what the server knew by then: an
   * unknown REQUEST_METHOD, REQUEST_URI, PATH_INFO or SERVER_PROTOCOL is `""`, and there are no `wsgi.input` and
   * `tsgi.request`.
   */
  readonly environ: Environ;
  /** True for a request that the server itself refused, before any application saw it; else absent. */
  readonly refused?: true;
  /** The status code that was sent; 499 if the client left before that, 101 after an Upgrade. */
  readonly status: number;
  /** The header fields of the response that the application gave. */
  readonly headers: HeaderList;
  /** Bytes of the body that the wire got to send. */
  readonly bytes: number;
  /** Milliseconds from the call of the application to the end of the response; 0 for a refused request. */
  readonly duration: number;
  /** Whether the response was complete when it ended. */
  readonly complete: boolean;
}

/** Called with a record of each response, and of each request that the server refused. */
export type AccessLog = (record: AccessRecord) => void;

const CLIENT_CLOSED_REQUEST = 499; // as nginx logs it
const NO_HEADERS: HeaderList = [];

/** An exchange that passes everything on to another one, and reports the response when it has ended. */
export class LoggedExchange implements Exchange {
  readonly #exchange: Exchange;
  readonly #log: AccessLog;
  readonly #errors: ErrorStream;
  readonly #environ: Environ;
  readonly #began: number = performance.now();
  #status = CLIENT_CLOSED_REQUEST;
  #headers: HeaderList = NO_HEADERS;
  #bytes = 0;

  /** Wraps `exchange`. The record of the response to `environ` goes to `log`; an error that `log` throws to `errors`. */
  constructor(exchange: Exchange, log: AccessLog, environ: Environ, errors: ErrorStream) {
    this.#exchange = exchange;
    this.#log = log;
    this.#environ = environ;
    this.#errors = errors;
  }

  head(head: ResponseHead, length: number | null, bodyless: boolean): void {
    this.#status = head.code;
    this.#headers = head.headers;
    this.#exchange.head(head, length, bodyless);
  }

  body(block: Octets): boolean {
    this.#bytes += block.length;
    return this.#exchange.body(block);
  }

  end(): void {
    this.#exchange.end();
    this.#report(true);
  }

  abort(error: unknown): void {
    try {
      this.#exchange.abort(error);
    } finally {
      this.#report(false);
    }
  }

  refuse(status: string): void {
    this.#status = statusCode(status);
    try {
      this.#exchange.refuse(status);
    } finally {
      this.#report(true);
    }
  }

  informational(status: string, headers: HeaderList): void {
    this.#exchange.informational?.(status, headers);
  }

  upgrade(headers: HeaderList | null): RawSocket | undefined {
    const socket = this.#exchange.upgrade?.(headers);
    if (socket === undefined) return undefined;
    this.#status = 101;
    this.#headers = headers ?? NO_HEADERS;
    this.#report(true);
    return socket;
  }

  /** Reports that the client left before the end. */
  departed(): void {
    this.#report(false);
  }

  #report(complete: boolean): void {
    report(this.#log, this.#errors, {
      environ: this.#environ,
      status: this.#status,
      headers: this.#headers,
      bytes: this.#bytes,
      duration: performance.now() - this.#began,
      complete,
    });
  }
}

/** The two logs of a gateway. */
interface Logs {
  readonly accessLog?: AccessLog | undefined;
  readonly errors: ErrorStream;
}

/**
 * Reports a request that a wire has refused with `status`. `environ` builds an environ of what is known of the request;
 * it is called only if there is an access log.
 */
export function logRefusal(
  { accessLog, errors }: Logs,
  status: string,
  environ: () => Environ,
): void {
  if (accessLog === undefined) return;
  report(accessLog, errors, {
    environ: environ(),
    refused: true,
    status: statusCode(status),
    headers: NO_HEADERS,
    bytes: 0,
    duration: 0,
    complete: true,
  });
}

function statusCode(status: string): number {
  return Number(status.slice(0, 3));
}

function report(log: AccessLog, errors: ErrorStream, record: AccessRecord): void {
  try {
    log(record);
  } catch (error) {
    errors.write(`tsgi: accessLog: ${errorText(error)}\n`); // an error of the log does not affect the response
  }
}
