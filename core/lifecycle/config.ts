/**
 * The part of the configuration of a server that requests and connections use: time-outs, and the gateway.
 *
 * @module
 */

import type { Gateway } from "../gateway/gateway.ts";

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

/** What requests and connections use of the configuration of their server. */
export interface LifecycleConfig extends Timeouts {
  /** The application and the shared state of its invocations. */
  readonly gateway: Gateway;
}
