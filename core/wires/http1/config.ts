/**
 * The configuration of the HTTP/1.1 wire.
 *
 * @module
 */

import type { WireConfig } from "../wire.ts";
import type { RequestLimits } from "./request_head.ts";

/** The configuration that all HTTP/1.1 connections of one server share. */
export interface Http1Config extends RequestLimits, WireConfig {
  /** Bytes per second that a client must send of a body while the application waits for it; 0 for no minimum. */
  readonly minBodyRate: number;
  /** Seconds of waiting before that rate counts. */
  readonly minBodyRateGrace: number;
}
