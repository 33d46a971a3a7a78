/**
 * Reports each response to the access log: once, when it has ended, for whatever reason.
 *
 * `LoggedExchange` is an Exchange between an invocation and the wire, and counts what passes. A request that a wire
 * refuses never reaches an application and has no such Exchange: the wire reports it with what it knows of the request.
 *
 * A server without an access log does not load this module, and has no `Gateway.log`: logging costs nothing there.
 *
 * @module
 */

import type { Exchange, HeaderList, Octets, RawSocket, ResponseHead } from "../seams.ts";
import { errorText } from "../errors.ts";
import type { ErrorStream } from "../contract/error_stream.ts";
import type { Environ } from "../contract/types.ts";
import type { ResponseLog } from "./gateway.ts";

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

/** Reports to `log`; an error that `log` throws goes to `errors`. */
export function responseLog(log: AccessLog, errors: ErrorStream): ResponseLog {
  return {
    exchange: (exchange, environ) => new LoggedExchange(exchange, log, environ, errors),
    refused: (status, environ) =>
      report(log, errors, {
        environ,
        refused: true,
        status: statusCode(status),
        headers: NO_HEADERS,
        bytes: 0,
        duration: 0,
        complete: true,
      }),
  };
}

/** An exchange that passes everything on to another one, and reports the response when it has ended. */
class LoggedExchange implements Exchange {
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
