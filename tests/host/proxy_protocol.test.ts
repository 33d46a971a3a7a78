/**
 * The prefix of the PROXY protocol: what haproxy and nginx really send, hand-made ones by the letter of the protocol, and
 * what is none.
 */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { readLatin1 } from "../../core/grammar.ts";
import { parsePrefix, type Prefix } from "../../core/server/proxy_protocol.ts";
import { StageError } from "../../core/server/stage.ts";
import { projectPath } from "../server_process.ts";
import { bytesOf, prefixV2, tlv, withChecksum } from "./proxy_prefix.ts";

const REST = "GET / HTTP/1.1\r\n";

function ends(remoteAddress: string, remotePort: string, localAddress: string, localPort: string): object {
  return { remoteAddress, remotePort, localAddress, localPort };
}

const TCP4 = [192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb];
const OF_TCP4 = ends("192.0.2.7", "56324", "198.51.100.1", "443");

function v6(source: number[], destination: number[]): number[] {
  return [...source, ...destination, 0xff, 0xff, 0, 80];
}

const V6_A = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
const V6_B = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
const V6_MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 7];
const V6_FULL = [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 0, 0, 7, 0xab, 0xcd];
const UNIX = new Array<number>(216).fill(65);

/** Prefixes, and what they state; the bytes behind them are not part of them. */
const GOOD: readonly (readonly [name: string, bytes: Uint8Array, ends: unknown])[] = [
  ["TCP4", bytesOf("PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"), OF_TCP4],
  [
    "TCP4, ports at their bounds",
    bytesOf("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n"),
    ends("0.0.0.0", "0", "255.255.255.255", "65535"),
  ],
  ["TCP6", bytesOf("PROXY TCP6 2001:db8::7 ::1 1 2\r\n"), ends("2001:db8::7", "1", "::1", "2")],
  [
    "TCP6 of 104 bytes",
    bytesOf(`PROXY TCP6 ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535\r\n`),
    ends(`${"ffff:".repeat(7)}ffff`, "65535", `${"ffff:".repeat(7)}ffff`, "65535"),
  ],
  [
    "TCP6 with a mapped address",
    bytesOf("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"),
    ends("::ffff:192.0.2.7", "1", "::1", "2"),
  ],
  ["UNKNOWN", bytesOf("PROXY UNKNOWN\r\n"), "unknown"],
  ["UNKNOWN of 107 bytes", bytesOf(`PROXY UNKNOWN ${"x".repeat(91)}\r\n`), "unknown"],
  ["v2 TCP4", prefixV2(0x21, 0x11, TCP4), OF_TCP4],
  [
    "v2 TCP4 with TLVs",
    prefixV2(0x21, 0x11, [...TCP4, ...tlv(4, [0, 0, 0]), ...tlv(2, [...bytesOf("a.test")])]),
    OF_TCP4,
  ],
  [
    "v2 TCP4 with the longest TLVs",
    prefixV2(0x21, 0x11, [...TCP4, ...tlv(4, new Array<number>(65535 - 15).fill(9))]),
    OF_TCP4,
  ],
  ["v2 TCP4 with a checksum", withChecksum(0x21, 0x11, TCP4), OF_TCP4],
  [
    "v2 TCP4 with a checksum between TLVs",
    withChecksum(0x21, 0x11, [...TCP4, ...tlv(4, [1])], tlv(0x30, [1, 0])),
    OF_TCP4,
  ],
  ["v2 TCP6", prefixV2(0x21, 0x21, v6(V6_A, V6_B)), ends("2001:db8::7", "65535", "2001:db8:0:1::", "80")],
  [
    "v2 TCP6 mapped",
    prefixV2(0x21, 0x21, v6(V6_MAPPED, V6_FULL)),
    ends("::ffff:192.0.2.7", "65535", "1:2:3:4:5:0:7:abcd", "80"),
  ],
  ["v2 UNIX", prefixV2(0x21, 0x31, UNIX), "unix"],
  ["v2 UNSPEC", prefixV2(0x21, 0x00, []), "unknown"],
  ["v2 UNSPEC with TLVs", prefixV2(0x21, 0x00, tlv(4, [1, 2])), "unknown"],
  ["v2 UDP4", prefixV2(0x21, 0x12, TCP4), "unknown"],
  ["v2 UDP6", prefixV2(0x21, 0x22, v6(V6_A, V6_B)), "unknown"],
  ["v2 UNIX datagram", prefixV2(0x21, 0x32, UNIX), "unknown"],
  ["v2 LOCAL", prefixV2(0x20, 0x00, []), "unknown"],
  ["v2 LOCAL, whose block is ignored", prefixV2(0x20, 0xff, [1, 2, 3]), "unknown"],
];

const VERSION = tlv(0x21, [...bytesOf("TLSv1.3")]);

/** Prefixes with facts about TLS (PP2_TYPE_SSL), and whether the client spoke it. */
const SECURE: readonly (readonly [name: string, bytes: Uint8Array, secure: boolean])[] = [
  ["TLS", prefixV2(0x21, 0x11, [...TCP4, ...tlv(0x20, [1, 0, 0, 0, 0])]), true],
  ["TLS with its version", withChecksum(0x21, 0x11, TCP4, tlv(0x20, [1, 0, 0, 0, 0, ...VERSION])), true],
  ["a certificate that is not good", prefixV2(0x21, 0x21, [...v6(V6_A, V6_B), ...tlv(0x20, [7, 0, 0, 0, 1])]), true],
  ["not TLS", prefixV2(0x21, 0x11, [...TCP4, ...tlv(0x20, [0, 0, 0, 0, 0])]), false],
  ["other bits", prefixV2(0x21, 0x11, [...TCP4, ...tlv(0x20, [0xfe, 0, 0, 0, 0])]), false],
  ["of a client without addresses", prefixV2(0x21, 0x00, tlv(0x20, [1, 0, 0, 0, 0])), true],
  ["LOCAL, whose block is ignored", prefixV2(0x20, 0x11, [...TCP4, ...tlv(0x20, [1, 0, 0, 0, 0])]), false],
];

const MISSING = /^it does not begin with a prefix of the PROXY protocol/;

/** What is no prefix, and what the message says. */
const BAD: readonly (readonly [name: string, bytes: Uint8Array, message: RegExp])[] = [
  ["nothing of it", bytesOf("GET / HTTP/1.1\r\n"), MISSING],
  ["lower case", bytesOf("proxy "), MISSING],
  ["another word", bytesOf("PROXYX"), MISSING],
  ["a TLS handshake", Uint8Array.of(0x16, 3, 1), MISSING],
  ["a signature with another byte", prefixV2(0x21, 0x11, TCP4).with(11, 0), MISSING],
  ["a version 1 line that does not end", bytesOf(`PROXY UNKNOWN ${"x".repeat(93)}`), /no line end within 107 bytes/],
  ["a line end beyond 107 bytes", bytesOf(`PROXY UNKNOWN ${"x".repeat(92)}\r\n`), /no line end within 107 bytes/],
  ["a bare LF", bytesOf("PROXY UNKNOWN\nGET / HTTP/1.1\r\n"), /a line end that is not CR LF/],
  ["a bare CR", bytesOf("PROXY UNKNOWN\rX"), /a line end that is not CR LF/],
  [
    "another family",
    bytesOf("PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n"),
    /a family that is not TCP4, TCP6 or UNKNOWN/,
  ],
  ["no family", bytesOf("PROXY \r\n"), /a family that is not/],
  ["too few fields", bytesOf("PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n"), /3 fields behind TCP4, not 4/],
  ["too many fields", bytesOf("PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n"), /5 fields behind TCP4, not 4/],
  ["two spaces", bytesOf("PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n"), /5 fields behind TCP4, not 4/],
  ["IPv6 in TCP4", bytesOf("PROXY TCP4 ::1 ::1 1 2\r\n"), /an address that is not of TCP4/],
  ["IPv4 in TCP6", bytesOf("PROXY TCP6 192.0.2.7 192.0.2.7 1 2\r\n"), /an address that is not of TCP6/],
  ["an address with a leading zero", bytesOf("PROXY TCP4 192.0.02.7 198.51.100.1 1 2\r\n"), /an address that is not/],
  ["a zone", bytesOf("PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n"), /an address that is not of TCP6/],
  ["a name", bytesOf("PROXY TCP4 localhost 198.51.100.1 1 2\r\n"), /an address that is not of TCP4/],
  ["a port above 65535", bytesOf("PROXY TCP4 192.0.2.7 198.51.100.1 1 65536\r\n"), /a port that is not/],
  ["a port with a leading zero", bytesOf("PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n"), /a port that is not/],
  ["a port with a sign", bytesOf("PROXY TCP4 192.0.2.7 198.51.100.1 +1 2\r\n"), /a port that is not/],
  ["version 1 in binary", prefixV2(0x11, 0x11, TCP4), /version and command 0x11/],
  ["an unknown command", prefixV2(0x22, 0x11, TCP4), /version and command 0x22/],
  ["an unknown family", prefixV2(0x21, 0x41, TCP4), /family and transport 0x41/],
  ["an unknown transport", prefixV2(0x21, 0x13, TCP4), /family and transport 0x13/],
  ["addresses that are too short", prefixV2(0x21, 0x11, TCP4.slice(1)), /11 bytes of addresses, not 12/],
  ["IPv6 addresses that are too short", prefixV2(0x21, 0x21, TCP4), /12 bytes of addresses, not 36/],
  ["a TLV beyond the end", prefixV2(0x21, 0x11, [...TCP4, 4, 0, 9, 1]), /a TLV that is longer/],
  ["half a TLV", prefixV2(0x21, 0x11, [...TCP4, 4, 0]), /a TLV that is longer/],
  ["a checksum of two bytes", prefixV2(0x21, 0x11, [...TCP4, ...tlv(3, [1, 2])]), /a checksum of 2 bytes, not 4/],
  ["a checksum that is wrong", prefixV2(0x21, 0x11, [...TCP4, ...tlv(3, [1, 2, 3, 4])]), /a checksum that is wrong/],
  ["an address changed under a checksum", withChecksum(0x21, 0x11, TCP4).with(16, 10), /a checksum that is wrong/],
  [
    "facts about TLS that are too short",
    prefixV2(0x21, 0x11, [...TCP4, ...tlv(0x20, [1, 0])]),
    /TLS of 2 bytes, not 5/,
  ],
  ["UNSPEC with a checksum that is wrong", prefixV2(0x21, 0x00, tlv(3, [0, 0, 0, 0])), /a checksum that is wrong/],
];

/** What each capture states, and whether the client spoke TLS. Its ports are those of the moment. */
const CAPTURES: Readonly<Record<string, readonly [from: string, to: string, tls?: "tls"] | "unknown">> = {
  "haproxy-proxy-v1-tcp4": ["127.0.0.1", "127.0.0.1:19105"],
  "haproxy-proxy-v1-tcp6": ["::1", "::1:19110"],
  "haproxy-proxy-v1-unknown": "unknown",
  "haproxy-proxy-v2-check": "unknown",
  "haproxy-proxy-v2-local": "unknown",
  "haproxy-proxy-v2-options": ["127.0.0.1", "127.0.0.1:19114", "tls"], // all TLVs that it has
  "haproxy-proxy-v2-ssl": ["127.0.0.1", "127.0.0.1:19112", "tls"],
  "haproxy-proxy-v2-ssl-clear": ["127.0.0.1", "127.0.0.1:19111"],
  "haproxy-proxy-v2-ssl-cn": ["127.0.0.1", "127.0.0.1:19113", "tls"],
  "haproxy-proxy-v2-tcp4-crc32c": ["127.0.0.1", "127.0.0.1:19101"],
  "haproxy-proxy-v2-tcp6": ["::1", "::1:19103"],
  "nginx-proxy-v1-tcp4": ["127.0.0.1", "127.0.0.1:19201"],
};

/** Asks with more and more bytes, as many as the parser wants, or one at a time; the prefix that it finds at last. */
function inSteps(bytes: Uint8Array, asked: boolean): Prefix {
  for (let length = 1; length <= bytes.length;) {
    const found = parsePrefix(bytes.subarray(0, length));
    if (typeof found !== "number") {
      expect(length).toBe(found.length); // not later than it could
      return found;
    }
    expect(found).toBeGreaterThan(length);
    length = asked ? found : length + 1;
  }
  throw new Error("There is no prefix");
}

describe("15.3 the PROXY protocol", () => {
  it.each(GOOD)("%s", (_name, bytes, expected) => {
    const prefix = { ends: expected, secure: false, length: bytes.length };
    expect(parsePrefix(bytes)).toEqual(prefix);
    expect(parsePrefix(Uint8Array.of(...bytes, ...bytesOf(REST)))).toEqual(prefix);
    expect(inSteps(bytes, true).ends).toEqual(expected);
    if (bytes.length < 1000) expect(inSteps(bytes, false).ends).toEqual(expected);
  });

  it.each(SECURE)("18.3 facts about TLS: %s", (_name, bytes, secure) => {
    expect(parsePrefix(bytes)).toMatchObject({ secure, length: bytes.length });
    expect(inSteps(bytes, false).secure).toBe(secure);
  });

  it.each(BAD)("refuses %s", (_name, bytes, message) => {
    expect(() => parsePrefix(bytes)).toThrow(StageError);
    expect(() => parsePrefix(bytes)).toThrow(message);
  });

  it.each(["G", "P\r", "PROXX", "\r\n\r\r", "\r\n\r\n\0\r\nQUIX"])("refuses %j at its last byte", (text) => {
    for (let length = 1; length < text.length; length++) {
      expect(parsePrefix(bytesOf(text.slice(0, length)))).toBeTypeOf("number");
    }
    expect(() => parsePrefix(bytesOf(text))).toThrow(MISSING);
  });

  it.each(Object.entries(CAPTURES))("%s, as it was sent", (name, expected) => {
    const bytes = new Uint8Array(readFileSync(projectPath(`tests/captures/${name}.bin`)));
    const { ends, secure, length } = parsePrefix(bytes) as Prefix;
    const rest = readLatin1(bytes, length, bytes.length);
    expect(rest).toMatch(rest === "" ? /^/ : /^GET \/ HTTP\/1\.1\r\n/);
    if (typeof ends === "string") return expect(ends).toBe(expected);
    const stated = [ends.remoteAddress, `${ends.localAddress}:${ends.localPort}`, ...(secure ? ["tls"] : [])];
    expect(stated).toEqual(expected);
    expect(inSteps(bytes, false)).toEqual({ ends, secure, length });
  });
});
