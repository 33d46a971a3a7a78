/**
 * Decides which peers may connect, by addresses and networks (RFC 4632 3.1, RFC 4291 2.3).
 *
 * An IPv4-mapped IPv6 address counts as the IPv4 address in it, in each spelling: `::ffff:192.0.2.1`, `::ffff:c000:201`. A
 * network of such addresses has the bits of IPv6 from 96 on, or those of IPv4 up to 32.
 *
 * @module
 */

import { parseAddress } from "../ip_address.ts";
import type { Peer, SocketKind } from "../seams.ts";

/** Everybody. */
export const ALL_PEERS = "*";

/** Peers at Unix sockets, which have no addresses. */
export const UNIX_PEERS = "unix";

/** This machine. */
export const LOOPBACK: readonly string[] = ["127.0.0.0/8", "::1"];

/** A range of addresses: those that begin with the first `bits` of `address`. */
export interface Network {
  /** 16 bits an element: two elements for IPv4, eight for IPv6. */
  readonly address: readonly number[];
  readonly bits: number;
}

/**
 * An address, or a network in prefix notation; null when it is neither.
 *
 * @example
 * ```ts
 * import { parseIps } from "./peer_policy.ts";
 * console.assert(parseIps("10.0.0.0/8")?.bits === 8 && parseIps("::1")?.bits === 128 && parseIps("10.0.0") === null);
 * ```
 */
export function parseIps(text: unknown): Network | null {
  if (typeof text !== "string") return null;
  const parts = /^([^/]+)(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(text);
  if (parts === null) return null;
  const address = parseAddress(parts[1] as string);
  if (address === null) return null;
  const most = address.length * 16;
  if (parts[2] === undefined) return { address, bits: most };
  const given = Number(parts[2]);
  const bits = most === 32 && given >= 96 && text.includes(":") ? given - 96 : given;
  return bits <= most ? { address, bits } : null;
}

/** Whether a text is an address: not a name, not a network. */
export function isAddress(text: string): boolean {
  return parseAddress(text) !== null;
}

/** Whether an address is in a network. */
export function isWithin(text: string, network: Network): boolean {
  const address = parseAddress(text);
  return address !== null && holds(network, address);
}

/** Whether a network holds a parsed address. */
export function holds(network: Network, address: readonly number[]): boolean {
  if (address.length !== network.address.length) return false;
  return address.every((word, i) => {
    const ignored = Math.min(16, Math.max(0, 16 * (i + 1) - network.bits));
    return word >> ignored === (network.address[i] as number) >> ignored;
  });
}

/**
 * Whether a peer may connect. For a Unix socket the file mode decides, so every peer that connects is allowed. A TCP
 * peer has an address as long as it is connected, so one without an address has already gone.
 *
 * @param kind Kind of the listening socket. The peer does not show it: a TCP client that resets its connection before
 *   accept has no address either. Undefined only if everybody is allowed.
 */
export function allowsPeer(allowIps: readonly string[] | "*", peer: Peer, kind: SocketKind | undefined): boolean {
  if (kind === "unix") return true;
  if (kind === "tcp" && peer.remoteAddress === "") return false;
  return allowIps === ALL_PEERS || allowIps.some((one) => isWithin(peer.remoteAddress, parseIps(one) as Network));
}
