/**
 * The life of a connection, on every wire: its output, its time-outs apart from those of a request, and its end.
 *
 * A connection ends in one of two ways. `finish` sends the output that waits and then FIN, and gives the client
 * LINGER_TIME to read it. `reset` cuts the socket, so that an incomplete response does not look complete. The host then
 * reports `closed`.
 *
 * @module
 */

import { errorText } from "../errors.ts";
import { Refusal } from "../refusal.ts";
import type { Transport } from "../seams.ts";
import * as State from "./states.ts";
import { Stopwatch } from "./progress.ts";
import type { LifecycleConfig } from "./config.ts";
import { TransportWriter } from "./transport_writer.ts";

/** Seconds that a client has to read the last response before the socket is destroyed. */
export const LINGER_TIME = 2;

/** The event that a connection waits for. */
const HEAD_END = 0;
const NEXT_REQUEST = 1;
const LAST_REQUEST = 2;
const FIN = 3;
const BUSY = 4; // none

/** A connection. */
export class ConnectionLifecycle {
  /** Writes the output. */
  readonly writer: TransportWriter;
  readonly #transport: Transport;
  readonly #config: LifecycleConfig;
  #state: State.ConnectionState = State.OPEN;
  #stopping = false;
  #paused = false;
  readonly #input: Stopwatch = new Stopwatch();
  readonly #output: Stopwatch = new Stopwatch();

  /** The life of the connection over `transport`, to which `writer` writes. */
  constructor(transport: Transport, config: LifecycleConfig, writer: TransportWriter = new TransportWriter(transport)) {
    this.#transport = transport;
    this.#config = config;
    this.writer = writer;
  }

  /** Whether bytes are read, and responses are written. */
  get isOpen(): boolean {
    return this.#state === State.OPEN;
  }

  /** Whether reading is paused. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Whether the current request is the last one, because the server shuts down or a limit is reached. */
  get stopping(): boolean {
    return this.#stopping;
  }

  /** Makes the current request the last one. An idle connection still serves a request within `drainIdle`. */
  stop(): void {
    this.#stopping = true;
  }

  /** Pauses or resumes reading, while the connection is open. */
  regulate(pause: boolean): void {
    if (pause === this.#paused || !this.isOpen) return;
    this.#paused = pause;
    if (pause) this.#transport.pause();
    else this.#transport.resume();
  }

  // The end.

  /** Sends the output that waits, then FIN. What still arrives is dropped, until the other side has ended too. */
  finish(): void {
    if (this.#end()) this.#transport.end();
  }

  /** Cuts the socket. */
  reset(): void {
    if (this.#end()) this.#transport.reset();
  }

  /** Closes the socket at once, after the other side has sent FIN. */
  destroy(): void {
    if (this.#end()) this.#transport.destroy();
  }

  #end(): boolean {
    if (this.#state !== State.OPEN) return false;
    this.#move(State.END);
    return true;
  }

  /** Gives the socket away, paused. */
  release(): void {
    this.#move(State.RELEASE);
    this.#transport.pause();
  }

  /** The host has closed the socket. */
  closed(): void {
    this.#move(State.CLOSE);
  }

  // Errors.

  /** Name of the other side, for messages. */
  get client(): string {
    return this.#transport.peer.remoteAddress || "client";
  }

  /** Writes a line to the error log. */
  log(text: string): void {
    this.#config.gateway.errors.write(`tsgi: ${text}\n`);
  }

  /** Logs an error. Returns a refusal, which the wire sends; resets the connection after any other error. */
  broken(error: unknown): Refusal | undefined {
    if (error instanceof Refusal) {
      this.log(`refused a request from ${this.client}: ${error.status}: ${error.message}`);
      return error;
    }
    this.log(`connection from ${this.client}: ${errorText(error)}`);
    this.reset();
    return undefined;
  }

  // The clock.

  /**
   * Checks the time for the client to take output, and to close after our FIN.
   *
   * @param now The clock of the tick.
   * @param idle Whether the connection waits for a request head. If so, a call of `lateHead` follows.
   * @returns whether the connection is open.
   */
  tick(now: number, idle: boolean): boolean {
    const { buffered } = this.#transport;
    if (this.#output.stalled(now, buffered, this.writer.written, this.#config.writeTimeout * 1000)) {
      this.#end();
      this.#transport.reset();
      return false;
    }
    if (this.isOpen && !idle) this.#input.waited(now, BUSY, 0);
    if (this.#state !== State.ENDING) return this.isOpen;
    // The time for the client to read the response begins only when our FIN has been sent.
    const lingered = this.#input.waited(now, buffered > 0 ? BUSY : FIN, 0);
    if (buffered === 0 && lingered >= LINGER_TIME * 1000) this.#transport.destroy();
    return false;
  }

  /**
   * Checks the time for the next request head. Ends the connection if no request has begun.
   *
   * @param now The clock of the tick.
   * @param begun Whether a part of a head has arrived.
   * @param requests Number of requests so far.
   * @param drainIdle Seconds for a last request, once the server shuts down.
   * @returns the seconds that were exceeded by a head that has begun, which the wire answers; else 0.
   */
  lateHead(now: number, begun: boolean, requests: number, drainIdle: number = this.#config.drainIdle): number {
    const { headerTimeout, keepAliveTimeout } = this.#config;
    let what = HEAD_END;
    let seconds = headerTimeout;
    if (!begun && this.#stopping) {
      what = LAST_REQUEST;
      seconds = drainIdle;
    } else if (!begun && requests > 0) {
      what = NEXT_REQUEST;
      seconds = keepAliveTimeout;
    }
    // The time for the first request runs from the start: a silent client gets no more time than a slow one.
    if (this.#input.waited(now, what, requests) < seconds * 1000) return 0;
    if (begun) return seconds;
    this.finish();
    return 0;
  }

  #move(event: State.ConnectionEvent): void {
    this.#state = State.after(State.CONNECTION_TRANSITIONS, this.#state, event);
  }
}

let idled = 0;

/**
 * A number for a connection that becomes idle between requests. It is larger than all numbers before. A server at
 * `maxConnections` closes the connection with the smallest number. A counter is cheaper than reading a clock, and
 * distinguishes connections that became idle within one tick.
 */
export function nextIdle(): number {
  return ++idled;
}
