/**
 * The interface between a server and its wire: the configuration of a wire, and the calls on its connections.
 *
 * A wire implements one protocol: `http1/`, `scgi/`, `fastcgi/`, `uwsgi/`. The server creates its connections and knows
 * nothing else about it.
 *
 * @module
 */

import type { EnvironTemplate } from "../contract/environ.ts";
import type { Gateway } from "../gateway/gateway.ts";
import type { Connection, Transport } from "../seams.ts";

/** The time-outs of a connection, in seconds. Infinity means no time-out. */
export interface Timeouts {
  /** Time for a complete request head: from its first byte, or for the first request from the start of the connection. */
  readonly headerTimeout: number;
  /** Time without a byte of a body that the application waits for. */
  readonly bodyTimeout: number;
  /** Time until the next request of a connection that has had one. */
  readonly keepAliveTimeout: number;
  /** Time in which the client takes none of the output that waits. */
  readonly writeTimeout: number;
  /** Time for a complete response, from its request head. */
  readonly requestTimeout: number;
  /** Time for which an idle connection still serves requests after shutdown has begun. */
  readonly drainIdle: number;
}

/** The configuration that all connections of one server share, in any protocol. */
export interface WireConfig extends Timeouts {
  /** Most requests on one connection. */
  readonly maxRequestsPerConnection: number;
  /** Most bytes of a request body; Infinity for no limit. */
  readonly limitRequestBody: number;
  /** The application and the shared state of its invocations. */
  readonly gateway: Gateway;
  /** The start of every environ. */
  readonly template: EnvironTemplate;
  /** Mount point of the application, without a slash at its end; "" for none. */
  readonly scriptName: string;
  /** Value of the Server field, or "". */
  readonly serverHeader: string;
  /** The host's latin-1 decoder. */
  latin1(bytes: Uint8Array, start: number, end: number): string;
  /** The wire calls this when a connection is closed. */
  forget(connection: Connection): void;
  /** Called when a socket gets a new connection after an Upgrade. Returns the connection to attach in place of `next`. */
  adopt(old: Connection, next: Connection, transport: Transport): Connection;
}

/** A connection as its server sees it. */
export interface WireConnection extends Connection {
  /** Ends the connection without serving a request. Sends `status` first if the protocol can do that. */
  turnAway(status: string): void;
  /** Makes the next request the last one. */
  serveOne(): void;
  /** The number from {@linkcode nextIdle} of the time when the connection became idle between requests; 0 if it is not. */
  readonly idleOrder: number;
  /** Ends the connection. Only called while it is idle. */
  retire(): void;
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

/** Bytes of a body that may wait for the application before a wire stops reading. */
export const INPUT_MARK = 65536;

/**
 * Most seconds that a connection reads the unread rest of a body, whatever `bodyTimeout` is; then it ends. With a
 * time-out for the next byte alone, a client could hold the connection by sending a byte now and then.
 */
export const DRAIN_TIME = 30;

/** Seconds that a client has to read the last response before the socket is destroyed. */
export const LINGER_TIME = 2;
