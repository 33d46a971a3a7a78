/**
 * Addresses and networks of `allowIps`, compared with those of `node:net`.
 *
 * @module
 */

import { BlockList, isIP, isIPv4, isIPv6 } from "node:net";
import * as Own from "../../../core/ip_address.ts";
import { allowsPeer, isAddress, isWithin, parseIps } from "../../../core/server/peer_policy.ts";
import type { Random } from "../random.ts";
import { bytesOf, expect, expectSame, type Target, textOf } from "../target.ts";

const MAPPED = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/; // as a URL spells it; counts as IPv4 in core

/** The target. An input is a network and an address with a space between them. */
export const addresses: Target = {
  longest: 120,
  seeds: () =>
    [
      "10.0.0.0/8 10.1.2.3",
      "::1 ::1",
      "2001:db8::/32 2001:db8::1",
      "::ffff:1.2.3.4 1.2.3.4",
      "::ffff:a00:0/104 ::ffff:a00:1",
      "::/0 ::",
    ].map(bytesOf),
  words: [
    "/",
    "::",
    ".",
    "/0",
    "/32",
    "/128",
    "/129",
    "255",
    "256",
    "::ffff:",
    "::ffff:a00:1",
    "::1.2.3.4",
    "%eth0",
    "01",
    " ",
  ],
  generate: (random) => bytesOf(`${network(random)} ${random.oneIn(3) ? network(random) : address(random)}`),
  check(input: Uint8Array): void {
    const [network = "", address = ""] = textOf(input).split(" ");
    for (const text of [network, address]) {
      expectSame(isAddress(text), isNetAddress(text), "an address is what node:net takes for one");
      expectSame(Own.isIPv6(text), isIPv6(text) && !text.includes("%"), "so is one of IPv6, without a zone");
    }
    const parsed = parseIps(network);
    const wanted = naive(network);
    expectSame(parsed !== null, wanted !== null, "a network is an address with a possible number of bits");
    expectSame(parseIps(undefined), null, "a network is text");
    if (parsed === null || wanted === null) return;
    if (!isNetAddress(address)) return expectSame(isWithin(address, parsed), false, "other text is in no network");
    const within = naiveWithin(wanted, address);
    expectSame(isWithin(address, parsed), within, "an address is in the networks that node:net says");
    const peer = { remoteAddress: address, remotePort: "1", localAddress: "::", localPort: "2" };
    expect(allowsPeer([network], peer, "tcp") === within, "a peer is allowed by its address", () => [network, address]);
    expect(allowsPeer([network], peer, "unix") && allowsPeer("*", peer, "tcp"), "others are allowed", () => address);
    expect(allowsPeer("*", peer, undefined), "everybody is allowed at a socket of any kind", () => address);
    expect(!allowsPeer("*", { ...peer, remoteAddress: "" }, "tcp"), "a peer that has gone is not", () => network);
  },
};

/** An address by `node:net`; its zone is any text. */
function isNetAddress(text: string): boolean {
  const [, address = text, zone] = /^([^%]*)(%.+)?$/.exec(text) ?? [];
  return zone === undefined ? isIP(address) !== 0 : isIPv6(address);
}

function naive(text: string): { readonly address: string; readonly bits: number } | null {
  const [address = "", bits, ...more] = text.split("/");
  if (!isNetAddress(address) || more.length > 0) return null;
  const plain = plainOf(address);
  const most = isIPv4(plain) ? 32 : 128;
  if (bits === undefined) return { address: plain, bits: most };
  if (!/^[0-9]+$/.test(bits) || `${+bits}` !== bits) return null;
  const own = address.includes(":") && isIPv4(plain) && +bits >= 96 ? +bits - 96 : +bits;
  return own <= most ? { address: plain, bits: own } : null;
}

function naiveWithin({ address, bits }: { readonly address: string; readonly bits: number }, text: string): boolean {
  const plain = plainOf(text);
  if (isIPv4(plain) !== isIPv4(address)) return false;
  const family = isIPv4(address) ? "ipv4" : "ipv6";
  if (bits === 0) return true;
  const list = new BlockList();
  list.addSubnet(address, bits, family);
  return list.check(plain, family);
}

/** An address without its zone; one that is mapped, in any spelling, as IPv4. */
function plainOf(text: string): string {
  const address = text.replace(/%.+$/, "");
  const words = isIPv6(address) ? MAPPED.exec(new URL(`http://[${address}]/`).hostname) : null;
  if (words === null) return address;
  return words.slice(1).map((word) => parseInt(word, 16)).flatMap((word) => [word >> 8, word & 255]).join(".");
}

function network(random: Random): string {
  const bits = random.oneIn(8) ? random.text(4, "0123/-.") : `${random.below(random.oneIn(2) ? 33 : 129)}`;
  return random.oneIn(3) ? address(random) : `${address(random)}/${bits}`;
}

function address(random: Random): string {
  if (random.oneIn(10)) return random.text(12, "0123456789abcdefg:.%/");
  const number = (): string => `${random.oneIn(12) ? random.below(400) : random.pick([0, 1, 10, 127, 128, 192, 255])}`;
  const v4 = Array.from({ length: random.oneIn(15) ? 3 : 4 }, number).join(".");
  if (random.oneIn(2)) return random.oneIn(4) ? `::ffff:${random.oneIn(2) ? v4 : "a00:1"}` : v4;
  const words = Array.from(
    { length: random.oneIn(2) ? 8 : random.below(9) },
    () => random.pick(["0", "1", "db8", "ffff", "2001"]),
  );
  if (words.length < 8 || random.oneIn(8)) words.splice(random.below(words.length + 1), 0, random.oneIn(9) ? "::" : "");
  const text = words.join(":").replace(/^:(?!:)/, "::").replace(/(?<!:):$/, "::");
  return random.oneIn(8) ? text.replace(/[^:]*$/, v4) : random.oneIn(10) ? `${text}%eth0` : text;
}
