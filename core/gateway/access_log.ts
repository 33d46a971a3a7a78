/**
 * What an access log is told of a response: once, when it has ended, for whatever reason.
 *
 * An Exchange that stands between an invocation and the wire and counts. A server that logs nothing makes none, so that
 * a response costs nothing more there. A request that a wire refuses never reaches an application and has no such
 * Exchange: the wire reports it by `logRefusal`, with what it knows of the request.
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
   * The environ, as the application has left it. Of a refused request it holds what the server knew by then: an unknown
   * REQUEST_METHOD, REQUEST_URI, PATH_INFO or SERVER_PROTOCOL is `""`, and there are no `wsgi.input` and `tsgi.request`.
   */
  readonly environ: Environ;
  /** True for a request that the server refused itself, so that no application has seen it; else absent. */
  readonly refused?: true;
  /** The status code that was sent; 499 when the client left before one was, 101 after an Upgrade. */
  readonly status: number;
  /** The header fields of the response that the application gave. */
  readonly headers: HeaderList;
  /** Bytes of the body that were given to the wire. */
  readonly bytes: number;
  /** From the call of the application to the end of the response, milliseconds; 0 for a refused request. */
  readonly duration: number;
  /** Whether the client got all of it. */
  readonly complete: boolean;
}

/** Gets a record of each response, and of each request that the server refused. */
export type AccessLog = (record: AccessRecord) => void;

const CLIENT_CLOSED_REQUEST = 499; // as nginx logs it
const NO_HEADERS: HeaderList = [];

/** An exchange that reports what became of it. */
export class LoggedExchange implements Exchange {
  readonly #exchange: Exchange;
  readonly #log: AccessLog;
  readonly #errors: ErrorStream;
  readonly #environ: Environ;
  readonly #began: number = performance.now();
  #status = CLIENT_CLOSED_REQUEST;
  #headers: HeaderList = NO_HEADERS;
  #bytes = 0;

  /** Stands before `exchange`; what becomes of the response to `environ` goes to `log`, and what that throws to `errors`. */
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
    this.#exchange.informational(status, headers);
  }

  upgrade(headers: HeaderList | null): RawSocket {
    const socket = this.#exchange.upgrade(headers);
    this.#status = 101;
    this.#headers = headers ?? NO_HEADERS;
    this.#report(true);
    return socket;
  }

  /** The client has gone before the end. */
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

/** Where reports go: a gateway's. */
interface Logs {
  readonly accessLog?: AccessLog | undefined;
  readonly errors: ErrorStream;
}

/**
 * Reports a request that a wire has refused with `status`. `environ` makes an environ of what is known of the request; it
 * is called only where there is a log.
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
    errors.write(`tsgi: accessLog: ${errorText(error)}\n`); // the response goes its way all the same
  }
}
