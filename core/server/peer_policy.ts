/**
 * Decides which peers may connect, by addresses and networks (RFC 4632 3.1, RFC 4291 2.3).
 *
 * An IPv4-mapped IPv6 address counts as the IPv4 address in it, in each spelling: `::ffff:192.0.2.1`, `::ffff:c000:201`. A
 * network of such addresses has the bits of IPv6 from 96 on, or those of IPv4 up to 32.
 *
 * @module
 */

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

/** An address, 16 bits an element; null when the text is none. */
export function parseAddress(text: string): readonly number[] | null {
  if (!text.includes(":")) return parseV4(text);
  const address = parseV6(withoutDots(text.replace(/%.+$/, ""))); // without the zone
  return address !== null && isMapped(address) ? address.slice(6) : address;
}

/** Whether the words of an IPv6 address are an IPv4 address in it (RFC 4291 2.5.5.2). */
function isMapped(words: readonly number[]): boolean {
  return words[5] === 0xffff && words.slice(0, 5).every((word) => word === 0);
}

/** An IPv6 address whose last two words are in hexadecimal: they may be written as an IPv4 address (RFC 4291 2.2). */
function withoutDots(text: string): string {
  const colon = text.lastIndexOf(":") + 1;
  const words = parseV4(text.slice(colon));
  return words === null ? text : text.slice(0, colon) + words.map((word) => word.toString(16)).join(":");
}

const OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const V4 = new RegExp(`^${OCTET}\\.${OCTET}\\.${OCTET}\\.${OCTET}$`);

function parseV4(text: string): number[] | null {
  const octets = V4.exec(text);
  if (octets === null) return null;
  return [Number(octets[1]) * 256 + Number(octets[2]), Number(octets[3]) * 256 + Number(octets[4])];
}

function parseV6(text: string): number[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [head, tail] = halves.map((half) => half === "" ? [] : half.split(":"));
  const missing = 8 - (head?.length ?? 0) - (tail?.length ?? 0);
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const words = [...(head ?? []), ...Array<string>(missing).fill("0"), ...(tail ?? [])];
  return words.every((word) => /^[0-9a-f]{1,4}$/i.test(word)) ? words.map((word) => parseInt(word, 16)) : null;
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
