/**
 * The interface between a server and its wire: the configuration of a wire, and the calls on its connections.
 *
 * A wire implements one protocol: `http1/`, `scgi/`, `fastcgi/`, `uwsgi/`. The server creates its connections and knows
 * nothing else about it.
 *
 * @module
 */

import type { EnvironTemplate } from "../contract/environ.ts";
import type { LifecycleConfig } from "../lifecycle/config.ts";
import type { Connection, RawConnection, Transport } from "../seams.ts";

/** The configuration that all connections of one server share, in any protocol. */
export interface WireConfig extends LifecycleConfig {
  /** Most requests on one connection. */
  readonly maxRequestsPerConnection: number;
  /** Most bytes of a request body; Infinity for no limit. */
  readonly limitRequestBody: number;
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
  adopt(old: Connection, next: RawConnection, transport: Transport): Connection;
}

/** A connection as its server sees it. */
export interface WireConnection extends Connection {
  /** Ends the connection without serving a request. Sends `status` first if the protocol can do that. */
  turnAway(status: string): void;
  /** Makes the next request the last one. */
  serveOne(): void;
  /** The number from `nextIdle` of the time when the connection became idle between requests; 0 if it is not. */
  readonly idleOrder: number;
  /** Ends the connection. Only called while it is idle. */
  retire(): void;
}
