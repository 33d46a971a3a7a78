/**
 * The PROXY protocol, versions 1 and 2 (haproxy, doc/proxy-protocol.txt): a load balancer begins each connection with a
 * prefix that states the two ends of the connection that it relays.
 *
 *     PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n
 *
 * Version 2 is binary: a signature of 12 bytes, version and command, family and transport, the length of the rest, the
 * addresses, then TLVs. Of the TLVs two are used: the checksum, and the one that says whether the client spoke TLS with
 * the balancer. It did if the bit PP2_CLIENT_SSL is set; requests then have the scheme https. The field `verify` is about
 * a certificate of the client, which does not matter for that.
 *
 * A prefix without addresses (UNKNOWN, UNSPEC, a datagram family, or LOCAL for the balancer's own checks) leaves the
 * facts of the socket. A client of the balancer at a Unix socket has no address.
 *
 * The prefix is required: whoever could leave it out could choose between two addresses. A byte that cannot belong to it
 * is refused at once.
 *
 * @module
 */

import { readLatin1 } from "../grammar.ts";
import { isIPv6 } from "../ip_address.ts";
import type { Peer, Transport } from "../seams.ts";
import { isAddress } from "./peer_policy.ts";
import { type ConnectionFacts, type Gate, StageError, type StageInput } from "./stage.ts";

const V1_START = bytesOf("PROXY ");
const V1_MOST = 107; // bytes, with the line end
const V2_START = bytesOf("\r\n\r\n\0\r\nQUIT\n");
const V2_HEAD = 16; // bytes, before the addresses
const NO_BYTES = new Uint8Array(0);

/** Families of version 2, and the bytes of their addresses. */
const UNSPEC = 0;
const INET = 1;
const UNIX = 3;
const ADDRESS_BYTES: readonly number[] = [0, 12, 36, 216];
const STREAM = 1;
const DATAGRAM = 2;
const CRC32C = 3; // a TLV
const SSL = 0x20; // a TLV: one byte of bits, four of `verify`, and further TLVs
const SSL_HEAD = 5; // bytes, before those
const CLIENT_SSL = 1; // one of the bits

/** The ends of a relayed connection: `"unknown"` if the prefix does not state them, `"unix"` if they have no addresses. */
export type Relayed = Peer | "unknown" | "unix";

/** A complete prefix. */
export interface Prefix {
  /** What it states. */
  readonly ends: Relayed;
  /** Whether it states that the client spoke TLS with the balancer. */
  readonly secure: boolean;
  /** Its length in bytes. */
  readonly length: number;
}

/** The stage of a listener with `proxyProtocol`. */
export function readPrefix(transport: Transport, gate: Gate): StageInput {
  let held: Uint8Array = NO_BYTES;
  let needed = 0; // bytes until the prefix may be complete
  return {
    receive: (bytes) => {
      const all = held.length === 0 ? bytes : joined(held, bytes);
      const prefix = all.length < needed ? needed : parsePrefix(all);
      if (typeof prefix === "number") {
        needed = prefix;
        held = all === bytes ? bytes.slice() : all;
      } else gate.pass(factsOf(prefix, transport.peer), all.subarray(prefix.length));
    },
  };
}

function factsOf({ ends, secure }: Prefix, { localAddress, localPort }: Peer): ConnectionFacts {
  const tls = secure ? { secure } : {};
  if (ends === "unknown") return tls;
  return { ...tls, peer: ends === "unix" ? { remoteAddress: "", remotePort: "", localAddress, localPort } : ends };
}

/**
 * Parses the prefix at the start of `bytes`. If it is not complete, returns the number of bytes from which on it may be.
 *
 * @throws {StageError} when the bytes cannot be the start of a prefix.
 *
 * @example
 * ```ts
 * import { parsePrefix } from "./proxy_protocol.ts";
 * const bytes = new TextEncoder().encode("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\nGET");
 * const prefix = parsePrefix(bytes);
 * console.assert(typeof prefix === "object" && typeof prefix.ends === "object");
 * console.assert(parsePrefix(bytes.subarray(0, 40)) === 41);
 * ```
 */
export function parsePrefix(bytes: Uint8Array): Prefix | number {
  if (startsAs(bytes, V1_START)) return bytes.length < V1_START.length ? bytes.length + 1 : parseLine(bytes);
  if (!startsAs(bytes, V2_START)) {
    throw new StageError("it does not begin with a prefix of the PROXY protocol, which proxyProtocol requires");
  }
  return parseBinary(bytes);
}

/** Whether `bytes` begin with `start`, or `start` with them. */
function startsAs(bytes: Uint8Array, start: Uint8Array): boolean {
  return start.every((byte, i) => i >= bytes.length || bytes[i] === byte);
}

// Version 1.

const PORT = /^(?:0|[1-9][0-9]{0,4})$/;

function parseLine(bytes: Uint8Array): Prefix | number {
  const most = Math.min(bytes.length, V1_MOST);
  const end = bytes.subarray(0, most).indexOf(0x0d);
  if (end < 0 || end + 1 >= most) {
    if (bytes.length >= V1_MOST) throw malformed(`no line end within ${V1_MOST} bytes`);
    return bytes.length + 1;
  }
  const line = readLatin1(bytes, 0, end);
  if (bytes[end + 1] !== 0x0a || line.includes("\n")) throw malformed("a line end that is not CR LF");
  return { ends: endsOf(line), secure: false, length: end + 2 };
}

function endsOf(line: string): Relayed {
  const [, family, ...fields] = line.split(" ");
  if (family === "UNKNOWN") return "unknown"; // what may follow has no meaning
  const [source = "", destination = "", sourcePort = "", destinationPort = ""] = fields;
  const isFamily = family === "TCP4" ? isV4 : family === "TCP6" ? isIPv6 : undefined;
  if (isFamily === undefined) throw malformed("a family that is not TCP4, TCP6 or UNKNOWN");
  if (fields.length !== 4) throw malformed(`${fields.length} fields behind ${family}, not 4`);
  if (!isFamily(source) || !isFamily(destination)) throw malformed(`an address that is not of ${family}`);
  if (!isPort(sourcePort) || !isPort(destinationPort)) throw malformed("a port that is not a number from 0 to 65535");
  return {
    remoteAddress: source,
    remotePort: sourcePort,
    localAddress: destination,
    localPort: destinationPort,
  };
}

function isV4(text: string): boolean {
  return !text.includes(":") && isAddress(text);
}

function isPort(text: string): boolean {
  return PORT.test(text) && Number(text) <= 65535;
}

// Version 2.

function parseBinary(bytes: Uint8Array): Prefix | number {
  if (bytes.length < V2_START.length) return bytes.length + 1; // the next byte may be one that cannot belong to it
  if (bytes.length < V2_HEAD) return V2_HEAD;
  const [command, family] = [bytes[12] as number, bytes[13] as number];
  const length = V2_HEAD + word(bytes, 14);
  if (command !== 0x20 && command !== 0x21) throw malformed(`version and command 0x${command.toString(16)}`);
  const [net, transport] = [family >> 4, family & 0x0f];
  const size = ADDRESS_BYTES[net];
  if (command === 0x20) { // LOCAL: the rest is ignored
    return bytes.length < length ? length : { ends: "unknown", secure: false, length };
  }
  if (size === undefined || transport > DATAGRAM) throw malformed(`family and transport 0x${family.toString(16)}`);
  if (length < V2_HEAD + size) throw malformed(`${length - V2_HEAD} bytes of addresses, not ${size}`);
  if (bytes.length < length) return length;
  const secure = readValues(bytes, V2_HEAD + size, length);
  if (transport !== STREAM || net === UNSPEC) return { ends: "unknown", secure, length };
  return { ends: net === UNIX ? "unix" : binaryEnds(bytes, net === INET ? 4 : 16), secure, length };
}

function binaryEnds(bytes: Uint8Array, size: number): Peer {
  const ports = V2_HEAD + 2 * size;
  return {
    remoteAddress: addressText(bytes, V2_HEAD, size),
    remotePort: String(word(bytes, ports)),
    localAddress: addressText(bytes, V2_HEAD + size, size),
    localPort: String(word(bytes, ports + 2)),
  };
}

function addressText(bytes: Uint8Array, at: number, size: number): string {
  if (size === 4) return bytes.subarray(at, at + 4).join(".");
  if (isMapped(bytes, at)) return `::ffff:${bytes.subarray(at + 12, at + 16).join(".")}`;
  const words = Array.from({ length: 8 }, (_, i) => word(bytes, at + 2 * i).toString(16));
  return shortened(words);
}

/** Whether an IPv6 address is an IPv4 address in it, `::ffff:192.0.2.1`. */
function isMapped(bytes: Uint8Array, at: number): boolean {
  const start = bytes.subarray(at, at + 12);
  return start.every((byte, i) => byte === (i < 10 ? 0 : 0xff));
}

/** The text of an IPv6 address: `::` stands for the longest run of zeros, the first of equal ones (RFC 5952 4.2). */
function shortened(words: readonly string[]): string {
  let [start, most] = [-1, 1]; // one zero alone is not shortened
  for (let i = 0; i < words.length; i++) {
    let end = i;
    while (words[end] === "0") end++;
    if (end - i > most) [start, most] = [i, end - i];
  }
  if (start < 0) return words.join(":");
  return `${words.slice(0, start).join(":")}::${words.slice(start + most).join(":")}`;
}

/** Walks the TLVs, and verifies the checksum if there is one. Returns whether one says that the client spoke TLS. */
function readValues(bytes: Uint8Array, start: number, end: number): boolean {
  let secure = false;
  for (let at = start; at < end;) {
    const value = at + 3;
    const next = value + (value <= end ? word(bytes, at + 1) : 0);
    if (value > end || next > end) throw malformed("a TLV that is longer than the prefix");
    if (bytes[at] === CRC32C) {
      if (next - value !== 4) throw malformed(`a checksum of ${next - value} bytes, not 4`);
      const stated = (word(bytes, value) * 0x10000) + word(bytes, value + 2);
      if (crc32c(bytes, end, value) !== stated) throw malformed("a checksum that is wrong");
    } else if (bytes[at] === SSL) {
      if (next - value < SSL_HEAD) throw malformed(`facts about TLS of ${next - value} bytes, not ${SSL_HEAD} or more`);
      if (((bytes[value] as number) & CLIENT_SSL) !== 0) secure = true;
    }
    at = next;
  }
  return secure;
}

/** The CRC32c of the prefix, in which the four bytes of the checksum itself count as 0 (RFC 4960, Appendix B). */
function crc32c(bytes: Uint8Array, end: number, checksum: number): number {
  let crc = 0xffffffff;
  for (let at = 0; at < end; at++) {
    crc ^= at >= checksum && at < checksum + 4 ? 0 : bytes[at] as number;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc & 1) === 0 ? 0 : 0x82f63b78);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) * 256 + (bytes[at + 1] as number);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function malformed(what: string): StageError {
  return new StageError(`its PROXY protocol prefix is malformed: ${what}`);
}
