/**
 * The configuration of the HTTP/1.1 wire.
 *
 * @module
 */

import type { EnvironTemplate } from "../../contract/environ.ts";
import type { Environ } from "../../contract/types.ts";
import type { BodyRateRules } from "../../lifecycle/progress.ts";
import type { Peer } from "../../seams.ts";
import type { WireConfig } from "../wire.ts";
import type { RequestLimits } from "./request_head.ts";

/** What the peer of a connection, a proxy, states about the clients whose requests it relays. */
export interface Forwarding {
  /** The start of the environ of each request on this connection. */
  readonly template: EnvironTemplate;
  /**
   * Changes an environ to what the request says about its client.
   *
   * @param fields Keys and values of all field lines, alternating.
   * @throws {Refusal} 400 for a malformed field, and for fields that contradict each other.
   */
  apply(environ: Environ, fields: readonly string[]): void;
}

/** The forwarding of a new connection; undefined if its peer is not believed. */
export type ForwardingOf = (peer: Peer, template: EnvironTemplate) => Forwarding | undefined;

/** The configuration that all HTTP/1.1 connections of one server share. */
export interface Http1Config extends RequestLimits, WireConfig, BodyRateRules {
  /** What peers are believed to say about their clients; undefined if none of them is believed. */
  readonly forwardingOf?: ForwardingOf | undefined;
}
