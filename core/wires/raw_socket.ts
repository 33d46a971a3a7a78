/**
 * A socket that has left its wire, after an Upgrade.
 *
 * The Connection that is attached to it then does not belong to a wire. If it throws, the error is reported and only that
 * socket is reset. The server still tracks the connection: it calls `tick` and `shutdown`, and cuts it at the time-out of
 * the shutdown.
 *
 * @module
 */

import { errorText } from "../errors.ts";
import type { ErrorStream } from "../contract/error_stream.ts";
import type { Connection, Transport } from "../seams.ts";

/** Wraps a connection that does not belong to a wire, and catches its errors. */
export class GuardedConnection implements Connection {
  readonly #inner: Connection;
  readonly #transport: Transport;
  readonly #errors: ErrorStream;
  readonly #closed: () => void;

  /** Wraps `inner`; calls `closed` once it is closed. */
  constructor(inner: Connection, transport: Transport, errors: ErrorStream, closed: () => void) {
    this.#inner = inner;
    this.#transport = transport;
    this.#errors = errors;
    this.#closed = closed;
  }

  receive(bytes: Uint8Array): void {
    this.#call(() => this.#inner.receive(bytes));
  }

  drained(): void {
    this.#call(() => this.#inner.drained());
  }

  ended(): void {
    this.#call(() => this.#inner.ended());
  }

  closed(error?: unknown): void {
    this.#call(() => this.#inner.closed(error));
    this.#closed();
  }

  shutdown(): void {
    this.#call(() => this.#inner.shutdown());
  }

  tick(now: number): void {
    this.#call(() => this.#inner.tick(now));
  }

  #call(method: () => void): void {
    try {
      method();
    } catch (error) {
      this.#errors.write(`tsgi: connection after an Upgrade: ${errorText(error)}\n`);
      this.#transport.reset();
    }
  }
}
