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
import type { Connection, Peer, Transport } from "../seams.ts";
import { Stopwatch } from "./stopwatch.ts";

/** The transport of a {@linkcode RawSocket}. It registers and guards a connection that is attached to it. */
export class RawTransport implements Transport {
  readonly #transport: Transport;
  readonly #adopt: (next: Connection) => Connection;
  #written = 0;

  /** Wraps the real transport. `adopt` registers a connection and returns the one to attach. */
  constructor(transport: Transport, adopt: (next: Connection) => Connection) {
    this.#transport = transport;
    this.#adopt = adopt;
  }

  get peer(): Peer {
    return this.#transport.peer;
  }

  get givesInput(): boolean {
    return this.#transport.givesInput;
  }

  get buffered(): number {
    return this.#transport.buffered;
  }

  /** Bytes that have been written to it. */
  get written(): number {
    return this.#written;
  }

  write(bytes: Uint8Array): boolean {
    this.#written += bytes.length;
    return this.#transport.write(bytes);
  }

  get memory(): Uint8Array {
    return this.#transport.memory;
  }

  reserve(min: number): number {
    return this.#transport.reserve(min);
  }

  commit(length: number): boolean {
    this.#written += length;
    return this.#transport.commit(length);
  }

  pause(): void {
    this.#transport.pause();
  }

  resume(): void {
    this.#transport.resume();
  }

  attach(next: Connection, leftover: Uint8Array): void {
    const adopted = this.#adopt(next);
    if (adopted instanceof GuardedConnection) adopted.watch(this);
    this.#transport.attach(adopted, leftover);
  }

  end(): void {
    this.#transport.end();
  }

  destroy(): void {
    this.#transport.destroy();
  }

  reset(): void {
    this.#transport.reset();
  }
}

/** Wraps a connection that does not belong to a wire, and catches its errors. */
export class GuardedConnection implements Connection {
  readonly #inner: Connection;
  readonly #transport: Transport;
  readonly #errors: ErrorStream;
  readonly #writeTimeout: number;
  readonly #closed: () => void;
  readonly #stalled = new Stopwatch();
  #output: RawTransport | undefined;

  /** Wraps `inner`; calls `closed` once it is closed. `writeTimeout` is in milliseconds. */
  constructor(
    inner: Connection,
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

  /** Watches the progress of what is written to `output`. */
  watch(output: RawTransport): void {
    this.#output = output;
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
    const taken = (this.#output?.written ?? 0) - buffered;
    const stalled = this.#stalled.waited(now, buffered > 0 ? 1 : 0, taken);
    if (buffered > 0 && stalled >= this.#writeTimeout) return this.#transport.reset();
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
