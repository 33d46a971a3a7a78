/**
 * The stage before the wire: what a connection does before its first request can begin, such as reading the prefix of the
 * PROXY protocol or a TLS handshake.
 *
 * A {@linkcode Stage} belongs to a listener. It holds each of its connections until it passes the connection on, with
 * the facts that it has found and the bytes that it has not used. Meanwhile the server treats the connection as any
 * other: it counts against `maxConnections`, may be turned away, and is cut at the end of a shutdown. The stage has a
 * deadline of its own, which the server's tick checks.
 *
 * A listener without a stage creates the connection of its wire at once, so the stage costs such connections nothing.
 *
 * @module
 */

import type { Connection, Peer, Transport } from "../seams.ts";
import { errorText } from "../errors.ts";
import type { ErrorStream } from "../contract/error_stream.ts";
import type { Http1Config } from "../wires/http1/config.ts";
import type { Wire } from "../wires/load.ts";
import { LINGER_TIME } from "../lifecycle/connection.ts";
import { Stopwatch } from "../lifecycle/progress.ts";
import type { Timeouts } from "../lifecycle/config.ts";
import type { WireConnection } from "../wires/wire.ts";

/** What a client sent before its first request breaks a rule. A stage throws it to refuse the connection. */
export class StageError extends Error {
  /** Name of the class. */
  override readonly name = "StageError";
}

/** The facts that a stage has found out about a connection. What is absent stays as the listener has it. */
export interface ConnectionFacts {
  /** The two ends of the connection, where they are not those of the socket. */
  readonly peer?: Peer;
  /** Whether the connection is secure: its requests then have the scheme https. */
  readonly secure?: boolean;
  /** Keys that the environ of each request has. The same object for many connections saves memory. */
  readonly variables?: Readonly<Record<string, string>>;
  /** The wire, where it is not that of the server. */
  readonly wire?: Wire;
}

/** The way out of a stage. Only the first call has an effect. */
export interface Gate {
  /** Passes the connection on to its wire. Not within the call that begins the stage. */
  pass(facts: ConnectionFacts, unread: Uint8Array): void;
  /** Closes the connection, and logs the reason. The client gets `answer`, if there is one. */
  refuse(reason: string, answer?: Uint8Array): void;
}

/** The part of a connection that a stage implements. Bytes are lent to it as to any {@linkcode Connection}. */
export type StageInput = Pick<Connection, "receive">;

/** Begins a stage on a new connection. */
export type Stage = (transport: Transport, gate: Gate) => StageInput;

/** What a stage needs of its listener. */
export interface StageListener {
  /** The configuration of a connection with these facts. */
  configWith(facts: ConnectionFacts): Http1Config;
}

/** What the server does for a connection in a stage. */
export interface StageOwner {
  readonly timeouts: Pick<Timeouts, "headerTimeout" | "drainIdle">;
  readonly errors: ErrorStream;
  /** Replaces the connection by one of a wire. */
  enter(staged: StagedConnection, facts: ConnectionFacts, unread: Uint8Array): void;
  /** Called when the connection is closed. */
  forget(staged: StagedConnection): void;
}

/** A connection in a stage. It remembers what the server asks of it, for the connection of the wire that follows. */
export class StagedConnection implements WireConnection, Gate {
  readonly transport: Transport;
  /** The listener that accepted the connection. */
  readonly listener: StageListener;
  /** The status with which the server turns the connection away; undefined if it does not. */
  turnedAway: string | undefined;
  /** Whether the connection is for one request only. */
  servesOne = false;
  /** A connection in a stage is not idle: it has had no request yet. */
  readonly idleOrder = 0;
  readonly #owner: StageOwner;
  readonly #input: StageInput;
  readonly #watch: Stopwatch = new Stopwatch();
  #over = false;
  #begun = false; // bytes have arrived
  #lingers: Stopwatch | undefined; // since an answer was sent
  #stopping = false;

  /** Begins `stage` over a transport. */
  constructor(transport: Transport, stage: Stage, listener: StageListener, owner: StageOwner) {
    this.transport = transport;
    this.listener = listener;
    this.#owner = owner;
    this.#input = stage(transport, this);
  }

  // Calls by the stage.

  pass(facts: ConnectionFacts, unread: Uint8Array): void {
    if (this.#over) return;
    this.#over = true;
    this.transport.pause(); // no bytes may overtake the unread ones
    this.#owner.enter(this, facts, this.transport.givesInput ? unread : unread.slice());
  }

  refuse(reason: string, answer?: Uint8Array): void {
    if (this.#over) return;
    this.#over = true;
    const { transport } = this;
    const { remoteAddress } = transport.peer;
    this.#owner.errors.write(`tsgi: closed the connection from ${remoteAddress || "client"}: ${reason}\n`);
    if (answer === undefined) return transport.destroy();
    // Closing at once may reset the connection, and the client would lose the answer.
    transport.write(answer);
    transport.end();
    this.#lingers = new Stopwatch();
  }

  // Calls by the host and the server.

  receive(bytes: Uint8Array): void {
    if (this.#over) return;
    this.#begun = true;
    try {
      this.#input.receive(bytes);
    } catch (error) {
      if (this.#over) throw error; // it is not of the stage
      this.refuse(error instanceof StageError ? error.message : errorText(error));
    }
  }

  drained(): void {}

  /** A client that connects and leaves is a port check, and not worth a line in the log. */
  ended(): void {
    if (this.#over) return;
    if (this.#begun) return this.refuse("it ended before its first request could begin");
    this.#leave();
  }

  closed(): void {
    this.#over = true;
    this.#owner.forget(this);
  }

  /** The status is sent by the wire, once the stage is over. */
  turnAway(status: string): void {
    this.turnedAway = status;
  }

  serveOne(): void {
    this.servesOne = true;
  }

  retire(): void {
    this.#leave();
  }

  shutdown(): void {
    this.#stopping = true;
  }

  tick(now: number): void {
    if (this.#lingers !== undefined && this.#lingers.waited(now, 0, 0) >= LINGER_TIME * 1000) this.transport.destroy();
    const { headerTimeout, drainIdle } = this.#owner.timeouts;
    const seconds = Math.min(
      headerTimeout,
      this.#stopping ? drainIdle : Infinity,
      this.turnedAway === undefined ? Infinity : LINGER_TIME,
    );
    if (this.#over || this.#watch.waited(now, this.#stopping ? 1 : 0, 0) < seconds * 1000) return;
    if (this.#stopping && !this.#begun) this.#leave();
    else this.refuse(`it was not ready for its first request within ${seconds} s`);
  }

  #leave(): void {
    this.#over = true;
    this.transport.destroy();
  }
}
