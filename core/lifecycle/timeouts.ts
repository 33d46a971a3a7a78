/**
 * The limits in time and bytes that all wires share.
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

/** Bytes of a body that may wait for the application before a wire stops reading. */
export const INPUT_MARK = 65536;

/** Bytes of an unread body that are read and dropped, so that the connection or the response can be kept. */
export const DRAIN_LIMIT = 262144;

/**
 * Most seconds that a connection reads the unread rest of a body, whatever `bodyTimeout` is; then it ends. With a
 * time-out for the next byte alone, a client could hold the connection by sending a byte now and then.
 */
export const DRAIN_TIME = 30;

/** Seconds that a client has to read the last response before the socket is destroyed. */
export const LINGER_TIME = 2;
