/**
 * Who may connect: addresses, networks, and what stands for them.
 */

import { describe, expect, it } from "vitest";
import { allowsPeer, isWithin, LOOPBACK, type Network, parseIps } from "../../core/server/peer_policy.ts";
import type { SocketKind } from "../../core/seams.ts";

describe("parseIps", () => {
  it.each([
    "127.0.0.1",
    "0.0.0.0/0",
    "10.0.0.0/8",
    "::",
    "::1",
    "2001:db8::/32",
    "1:2:3:4:5:6:7:8",
    "::ffff:192.0.2.1",
  ])(
    "%s",
    (text) => expect(parseIps(text)).not.toBeNull(),
  );
  it.each([
    "",
    "localhost",
    "1.2.3",
    "1.2.3.256",
    "1.2.3.04",
    "1.2.3.4/33",
    "1.2.3.4/",
    "::1/129",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7:8:9",
    "g::",
    7,
    null,
  ])(
    "%j is none",
    (text) => expect(parseIps(text)).toBeNull(),
  );
});

it.each([
  ["10.255.0.1", "10.0.0.0/8", true],
  ["11.0.0.1", "10.0.0.0/8", false],
  ["192.0.2.130", "192.0.2.128/25", true],
  ["192.0.2.127", "192.0.2.128/25", false],
  ["192.0.2.7", "192.0.2.7", true],
  ["192.0.2.8", "192.0.2.7", false],
  ["8.8.8.8", "0.0.0.0/0", true],
  ["::ffff:10.0.0.1", "10.0.0.0/8", true],
  ["::ffff:a00:1", "10.0.0.0/8", true],
  ["0:0:0:0:0:FFFF:0a00:0001", "10.0.0.0/8", true],
  ["::ffff:b00:1", "10.0.0.0/8", false],
  ["10.0.0.1", "::ffff:a00:1", true],
  ["10.9.9.9", "::ffff:a00:0/104", true],
  ["11.0.0.1", "::ffff:10.0.0.0/104", false],
  ["10.9.9.9", "::ffff:10.0.0.0/8", true],
  ["8.8.8.8", "::ffff:0:0/96", true],
  ["::1", "::ffff:0:0/96", false],
  ["::1", "0.0.0.0/0", false],
  ["2001:db8:ffff::1", "2001:db8::/32", true],
  ["2001:db9::1", "2001:db8::/32", false],
  ["fe80::1%eth0", "fe80::/10", true],
  ["::1", "0:0:0:0:0:0:0:1", true],
])("%s in %s: %s", (address, network, expected) => {
  expect(isWithin(address, parseIps(network) as Network)).toBe(expected);
});

it.each<[kind: SocketKind | undefined, allowIps: readonly string[] | "*", address: string, allowed: boolean]>([
  ["tcp", LOOPBACK, "127.0.0.1", true],
  ["tcp", LOOPBACK, "127.8.8.8", true],
  ["tcp", LOOPBACK, "::1", true],
  ["tcp", LOOPBACK, "::ffff:127.0.0.1", true],
  ["tcp", LOOPBACK, "::ffff:7f00:1", true],
  ["tcp", LOOPBACK, "192.0.2.1", false],
  ["tcp", LOOPBACK, "::2", false],
  ["tcp", LOOPBACK, "::ffff:192.0.2.1", false],
  ["tcp", LOOPBACK, "unknown", false],
  ["tcp", LOOPBACK, "", false],
  ["tcp", ["0.0.0.0/0", "::/0"], "", false],
  ["tcp", "*", "192.0.2.1", true],
  ["tcp", "*", "", false],
  ["unix", LOOPBACK, "", true],
  ["unix", "*", "", true],
  [undefined, "*", "", true],
  [undefined, "*", "192.0.2.1", true],
])(
  "14.1 at a listener of kind %s with allowIps %j a peer with the address %j: %s",
  (kind, allowIps, address, allowed) => {
    const peer = { remoteAddress: address, remotePort: "", localAddress: "", localPort: "" };
    expect(allowsPeer(allowIps, peer, kind)).toBe(allowed);
  },
);
