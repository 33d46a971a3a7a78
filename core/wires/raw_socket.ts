/**
 * A socket that has left its wire, after an Upgrade.
 *
 * The Connection that is attached to it then does not belong to a wire. If it throws, the error is reported and only that
 * socket is reset. The server still tracks the connection: it calls `tick` and `shutdown`, and cuts it at the time-out of
 * the shutdown. As in the wires, a peer that takes no output for `writeTimeout` is reset.
 *
 * @module
 */

import { errorText } from "../errors.ts";
import type { ErrorStream } from "../contract/error_stream.ts";
import { Stopwatch } from "../lifecycle/progress.ts";
import type { Connection, RawConnection, Transport } from "../seams.ts";

/** Wraps a connection that does not belong to a wire, and catches its errors. */
export class GuardedConnection implements Connection {
  readonly #inner: RawConnection;
  readonly #transport: Transport;
  readonly #errors: ErrorStream;
  readonly #writeTimeout: number;
  readonly #closed: () => void;
  readonly #output = new Stopwatch();

  /** Wraps `inner`; calls `closed` once it is closed. `writeTimeout` is in milliseconds. */
  constructor(
    inner: RawConnection,
    transport: Transport,
    errors: ErrorStream,
    writeTimeout: number,
    closed: () => void,
  ) {
    this.#inner = inner;
    this.#transport = transport;
    this.#errors = errors;
    this.#writeTimeout = writeTimeout;
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
    const { buffered } = this.#transport;
    if (this.#output.stalled(now, buffered, this.#inner.written, this.#writeTimeout)) return this.#transport.reset();
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
