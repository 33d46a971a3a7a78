/**
 * What the HTTP/1.1 connections of one server share.
 *
 * @module
 */

import type { WireConfig } from "../wire.ts";
import type { RequestLimits } from "./request_head.ts";

/** What the connections of one server share. */
export interface Http1Config extends RequestLimits, WireConfig {
  /** Bytes a second that a client has to send of a body that the application waits for; 0 for no such rate. */
  readonly minBodyRate: number;
  /** Seconds of waiting before that rate counts. */
  readonly minBodyRateGrace: number;
}
