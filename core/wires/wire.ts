/**
 * What a wire gets from the server it belongs to, and what the server may ask of a wire's connections.
 *
 * A wire is one protocol: `http1/`, `scgi/`, `fastcgi/`, `uwsgi/`. The server makes connections of one and knows
 * nothing else of it.
 *
 * @module
 */

import type { EnvironTemplate } from "../contract/environ.ts";
import type { Gateway } from "../gateway/gateway.ts";
import type { Connection, Transport } from "../seams.ts";

/** For how long a connection waits, in seconds; Infinity for ever. */
export interface Timeouts {
  /** For a request head to be complete: of the first request from the connection's beginning, else from its first byte. */
  readonly headerTimeout: number;
  /** For the next bytes of a body that the application waits for. */
  readonly bodyTimeout: number;
  /** For the next request of a connection that has had one. */
  readonly keepAliveTimeout: number;
  /** For the client to take any output. */
  readonly writeTimeout: number;
  /** For a response to be complete, from its request head. */
  readonly requestTimeout: number;
  /** For which an idle connection still serves what comes, after shutdown has begun. */
  readonly drainIdle: number;
}

/** What the connections of one server share, whatever they speak. */
export interface WireConfig extends Timeouts {
  /** Requests that one connection may make. */
  readonly maxRequestsPerConnection: number;
  /** Most bytes of a request body; Infinity for no limit. */
  readonly limitRequestBody: number;
  /** The application and what it runs with. */
  readonly gateway: Gateway;
  /** What every environ starts from. */
  readonly template: EnvironTemplate;
  /** Mount point of the application, without a slash at its end; "" for none. */
  readonly scriptName: string;
  /** Value of the Server field, or "". */
  readonly serverHeader: string;
  /** The host's decoder. */
  latin1(bytes: Uint8Array, start: number, end: number): string;
  /** Called when a connection is gone. */
  forget(connection: Connection): void;
  /** Called when a socket gets a new connection after an Upgrade; gives the one to attach in its place. */
  adopt(old: Connection, next: Connection, transport: Transport): Connection;
}

/** A connection as its server sees it. */
export interface WireConnection extends Connection {
  /** Nothing is served here: the client is told `status`, as far as the protocol can, before it asks; then the end. */
  turnAway(status: string): void;
  /** The next request is the last one. */
  serveOne(): void;
  /** When the connection became idle between two requests, as a number of {@linkcode nextIdle}; 0 while it is not. */
  readonly idleOrder: number;
  /** Ends the connection, which is idle. */
  retire(): void;
}

let idled = 0;

/**
 * A number for a connection that becomes idle between requests: it is larger than all numbers before. A server at
 * `maxConnections` closes the connection with the smallest one. A count costs less than reading a clock, and tells
 * apart connections that became idle within one tick.
 */
export function nextIdle(): number {
  return ++idled;
}

/** Bytes of a body that may wait for the application before a wire stops reading. */
export const INPUT_MARK = 65536;

/**
 * Seconds at most that the unread rest of a body is read for, whatever `bodyTimeout` says: then the connection ends. A
 * time-out for the next byte alone would let a client hold the connection with a byte now and then.
 */
export const DRAIN_TIME = 30;

/** Seconds that a client has to read the last response before the socket is destroyed. */
export const LINGER_TIME = 2;
