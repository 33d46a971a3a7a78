/**
 * The grammars of Forwarded (RFC 7239 4) and of the X-Forwarded fields: what they take is what naive readers take.
 *
 * @module
 */

import * as fields from "../../../core/server/forwarded_fields.ts";
import { Refusal } from "../../../core/refusal.ts";
import { naiveFor, naiveForwarded, naiveNode } from "../naive/forwarded.ts";
import type { Random } from "../random.ts";
import { bytesOf, expect, expectNoPollution, expectSame, type Target, textOf } from "../target.ts";

const SEEDS = [
  'for="[2001:db8:cafe::17]:4711"',
  "for=192.0.2.43, for=198.51.100.17;by=203.0.113.60;proto=http;host=example.com",
  'For="_hidden", for=unknown;;proto=https,',
  'for=192.0.2.1;host="a;b,c\\"d"',
];

/** The target. */
export const forwarded: Target = {
  longest: 300,
  seeds: () => SEEDS.map(bytesOf),
  words: [
    "for=",
    'for="',
    '"',
    "\\",
    ";",
    ",",
    "; ",
    "proto=https",
    "host=",
    "by=",
    "_a",
    "unknown",
    "[::1]",
    ":80",
    "=",
  ],
  generate: (random) => bytesOf(random.oneIn(2) ? valueOf(random) : singleOf(random)),
  check(input: Uint8Array): void {
    const value = textOf(input);
    const elements = refusedOr(() => fields.parseForwarded(value));
    const wanted = naiveForwarded(value);
    const found = elements?.map((element) => [...element].sort()) ?? null;
    expectSame(
      found,
      wanted?.map((one) => Object.entries(one).sort()) ?? null,
      "the elements are those of the naive reader",
    );
    for (const element of elements ?? []) checkNode(element);
    checkSingle(value);
    expectNoPollution();
  },
};

/** The value, taken for one of each of the other fields. */
function checkSingle(value: string): void {
  const hop = refusedOr(() => fields.parseForwardedFor(value));
  expectSame(hop === null ? null : [hop.address, hop.port], naiveFor(value), "the hop is that of the naive reader");
  const proto = refusedOr(() => fields.parseProto(value, "X-Forwarded-Proto"));
  const schemes: Readonly<Record<string, string>> = { http: "http", ws: "http", https: "https", wss: "https" };
  const scheme = Object.hasOwn(schemes, value.toLowerCase()) ? schemes[value.toLowerCase()] : null;
  expectSame(proto, scheme, "a scheme is one of four words");
  const port = refusedOr(() => fields.parsePort(value));
  const isPort = `${Number(value)}` === value && Number.isInteger(+value) && +value > 0 && +value < 65536;
  expectSame(port, isPort ? value : null, "a port is a number from 1 to 65535");
  const host = refusedOr(() => fields.parseHost(value, "X-Forwarded-Host"));
  expect(host === null || /^[^\s/@?#\\"<>]+$/.test(host), "a host has no sign that ends one", () => host);
  const prefix = refusedOr(() => fields.parsePrefix(value));
  const segments = prefix?.path.split("/").slice(1) ?? [];
  expect(segments.every((one) => one !== "" && one !== "." && one !== ".."), "a prefix is a normal path", () => prefix);
  // deno-lint-ignore no-control-regex
  expect(prefix === null || !/[\0-\x1f\x7f\\]/.test(prefix.path), "a prefix has no control characters", () => prefix);
}

function checkNode(element: fields.ForwardedElement): void {
  const text = element.get("for");
  if (text === undefined) return;
  const hop = refusedOr((): fields.Hop => fields.parseNode(text, "Forwarded"));
  expectSame(hop === null ? null : [hop.address, hop.port], naiveNode(text), "the node is that of the naive reader");
}

/** What `run` returns; null if it refuses. */
export function refusedOr<T>(run: () => T): T | null {
  try {
    return run();
  } catch (error) {
    if (error instanceof Refusal && error.status.startsWith("400")) return null;
    throw error;
  }
}

function singleOf(random: Random): string {
  const path = (): string =>
    random.many(0, 4, () => random.pick(["a", "%2e", "..", ".", "%2F", "%5c", "b%00", "", "~"])).join("/");
  const host = random.pick(["example.org", "[::1]", "a_b", "192.0.2.1", "::1", "a/b", "unix:", "_x", ""]);
  const scheme = random.pick(["http", "WSS", "https", "ws", "ftp"]);
  return random.pick([
    `/${path()}`,
    host + random.pick(["", ":80", ":0", ":65536"]),
    scheme,
    `${random.below(70_000)}`,
  ]);
}

function valueOf(random: Random): string {
  return random.many(1, 4, () => random.many(0, 4, () => pairOf(random)).join(random.pick([";", "; ", " ;", ";;"])))
    .join(
      random.pick([",", ", ", " , "]),
    );
}

function pairOf(random: Random): string {
  const name = random.pick(["for", "For", "by", "host", "proto", "secret", "__proto__", random.text(3, "ab=_ ")]);
  const address = random.pick(["192.0.2.1", "[2001:db8::1]", "unknown", "_a.b", "1.2.3", "[::1%eth0]", "::1", ""]);
  const text = address + random.pick(["", ":80", ":65536", ":_port", ":"]);
  const quoted = `"${random.oneIn(3) ? random.text(8, 'ab,;"\\= \t\x7f\xe9') : text}"`;
  return `${name}=${random.oneIn(3) ? text : quoted}`;
}
