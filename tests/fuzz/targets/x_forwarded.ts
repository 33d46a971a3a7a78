/**
 * X-Forwarded-For and X-Forwarded-Proto of a trusted peer: the client is the right-most hop that is not trusted, as a
 * naive reader finds it, and what stands further left has no effect.
 *
 * @module
 */

import { BlockList, isIP, isIPv4 } from "node:net";
import type { Environ } from "../../../core/contract/types.ts";
import { forwardingOf } from "../../../core/server/forwarded.ts";
import { naiveFor, type NaiveHop, naiveList } from "../naive/forwarded.ts";
import type { Random } from "../random.ts";
import { bytesOf, expect, expectSame, type Target, textOf } from "../target.ts";
import { refusedOr } from "./forwarded.ts";

const PEER = { remoteAddress: "10.0.0.1", remotePort: "4711", localAddress: "10.0.0.2", localPort: "80" };
const FOR = "HTTP_X_FORWARDED_FOR";
const PROTO = "HTTP_X_FORWARDED_PROTO";
const TEMPLATE = { REMOTE_ADDR: PEER.remoteAddress, REMOTE_PORT: PEER.remotePort, "wsgi.url_scheme": "http" };

const forwarding = forwardingOf(["10.0.0.0/8", "::1", "unix"], ["X-Forwarded-For", "X-Forwarded-Proto"])(
  PEER,
  TEMPLATE as never,
);

const stranger = { ...PEER, remoteAddress: "192.0.2.1" };
const believed = forwardingOf(["10.0.0.0/8"], ["X-Forwarded-For"])(stranger, TEMPLATE as never);

/** The target. An input has the values of the two fields, one a line, and then those of others. */
export const xForwarded: Target = {
  longest: 200,
  seeds: () => ["192.0.2.1, 10.1.2.3\nhttps", "::1, unix:, [2001:db8::1]:80\nhttp, wss", "unknown\nws"].map(bytesOf),
  words: [
    ",",
    ", ",
    "\n",
    "10.0.0.1",
    "::1",
    "unix:",
    "unknown",
    "_a",
    "[",
    "]",
    ":80",
    "https",
    "ws",
    "/a",
    "%2f",
    "..",
  ],
  generate: (random) => {
    const hops = (): string => random.many(0, 5, () => hopOf(random)).join(", ");
    const [host, port] = [random.pick(["b", "b:81", "[::1]", "a b", ""]), random.pick(["80", "443", "81", "0", ""])];
    const prefix = random.pick(["/a", "/a/", "/", "a", "/%2e%2e"]);
    const element = `for="${hopOf(random)}";proto=${random.pick(["http", "https"])};host="${host}"`;
    const lines = [hops(), protosOf(random), hops(), host, port, prefix, element, protosOf(random)];
    return bytesOf(lines.slice(0, random.between(2, lines.length)).join("\n"));
  },
  check(input: Uint8Array): void {
    const [list = "", protos = ""] = textOf(input).split("\n").map((line) => line.replace(/^[ \t]+|[ \t]+$/g, ""));
    const wanted = naive(naiveList(list), naiveList(protos));
    expectSame(outcomeOf(list, protos), wanted, "the client is that of the naive reader");
    if (wanted !== null) {
      const spoofed = outcomeOf(`203.0.113.9, ${list}`, protos);
      const trustsAll = naiveList(list).every((one) => isTrusted(naiveFor(one)));
      expect(
        trustsAll || JSON.stringify(spoofed) === JSON.stringify(wanted),
        "a member further left has no effect",
        () => spoofed,
      );
    }
    expect(believed === undefined, "a peer that is not trusted states nothing", () => PEER);
    checkWhole(textOf(input).split("\n").slice(1));
  },
};

function outcomeOf(list: string, protos: string): unknown {
  const environ = { ...forwarding?.template } as Environ;
  const fields: string[] = [];
  for (const [key, value] of [[FOR, list], [PROTO, protos]] as const) {
    environ[key] = value;
    fields.push(key, value);
  }
  return refusedOr(() => {
    forwarding?.apply(environ, fields);
    return [
      environ.REMOTE_ADDR ?? null,
      environ.REMOTE_PORT ?? null,
      environ["wsgi.url_scheme"],
      environ.HTTPS ?? null,
    ];
  });
}

function naive(list: readonly string[], protos: readonly string[]): unknown {
  let hop: NaiveHop | null = null;
  let index = 0;
  for (; index < list.length; index++) {
    hop = naiveFor(list[list.length - 1 - index] as string);
    if (hop === null) return null;
    if (!isTrusted(hop)) break;
  }
  index = Math.min(index, Math.max(0, list.length - 1));
  const [address, port] = hop ?? [PEER.remoteAddress, PEER.remotePort];
  const proto = protos[Math.max(0, protos.length - 1 - index)]?.toLowerCase() ?? "http";
  if (!["http", "https", "ws", "wss"].includes(proto)) return null;
  const secure = proto === "https" || proto === "wss";
  return [address || null, port || null, secure ? "https" : "http", secure ? "on" : null];
}

const trusted = new BlockList();
trusted.addSubnet("10.0.0.0", 8, "ipv4");
trusted.addAddress("::1", "ipv6");

function isTrusted(hop: NaiveHop | null): boolean {
  const address = hop?.[0];
  if (address === undefined || address === null || address === "") return address === "";
  const plain = address.replace(/^::ffff:(?=[0-9]+\.)/i, "");
  return trusted.check(plain, isIPv4(plain) ? "ipv4" : "ipv6");
}

const ALL = [
  "X-Forwarded-Proto",
  "X-Forwarded-For",
  "X-Forwarded-Host",
  "X-Forwarded-Port",
  "X-Forwarded-Prefix",
  "Forwarded",
];
const believing = (ips: readonly string[] | "*") => forwardingOf(ips, ALL)(PEER, TEMPLATE as never);
const inAll = [believing(["10.0.0.0/8"]), believing("*")];

/** All fields at once, each with a value of the input; one is given twice. Whatever comes, the environ stays valid. */
function checkWhole(values: readonly string[]): void {
  const keys = ALL.map((name) => `HTTP_${name.toUpperCase().replaceAll("-", "_")}`);
  const lines = keys.flatMap((key, i) => values[i] === undefined ? [] : [[key, values[i]] as const]);
  const first = lines[0];
  if (first !== undefined && values.length > ALL.length) lines.push([first[0], values.at(-1) as string]);
  const old = values.length % 2 === 0; // a request of HTTP/1.0, without Host
  const request = old ? { REQUEST_URI: "*" } : { REQUEST_URI: "/", HTTP_HOST: "a:81" };
  const scheme = values.length === 3 ? { "wsgi.url_scheme": "https", HTTPS: "on" } : {};
  for (const one of inAll) {
    const environs = [0, 1].map(() => {
      const own = { ...one?.template, ...scheme, ...request, SCRIPT_NAME: "", SERVER_PORT: "80" };
      const environ = own as unknown as Environ;
      for (const [key, value] of lines) environ[key] = environ[key] === undefined ? value : `${environ[key]}, ${value}`;
      return refusedOr(() => {
        one?.apply(environ, lines.flat());
        return environ;
      });
    });
    const [environ, again] = environs as [Environ | null, Environ | null];
    expectSame(environ, again, "the same request has the same outcome");
    if (environ === null) continue;
    const { REMOTE_ADDR, REMOTE_PORT, HTTP_HOST, SERVER_PORT, SCRIPT_NAME, HTTPS } = environ;
    expect(REMOTE_ADDR === undefined || isIP(String(REMOTE_ADDR)) !== 0, "an address is one", () => REMOTE_ADDR);
    expect(REMOTE_PORT === undefined || /^[0-9]{1,5}$/.test(String(REMOTE_PORT)), "a port is one", () => REMOTE_PORT);
    expect(/^[1-9][0-9]{0,4}$/.test(SERVER_PORT), "the server's port is one", () => SERVER_PORT);
    const hasHost = HTTP_HOST !== undefined || old;
    expect(hasHost && /^[^\s/@?#]+$/.test(String(HTTP_HOST ?? "a")), "the host is one", () => HTTP_HOST);
    expect(SCRIPT_NAME === "" || /^\/.*[^/]$/s.test(SCRIPT_NAME), "the prefix is a mount point", () => SCRIPT_NAME);
    expect((HTTPS === "on") === (environ["wsgi.url_scheme"] === "https"), "HTTPS and scheme agree", () => HTTPS);
  }
}

function hopOf(random: Random): string {
  const address = random.pick([
    "10.0.0.1",
    "192.0.2.1",
    "::1",
    "[::1]",
    "2001:db8::1",
    "[2001:db8::1]",
    "unix:",
    "unknown",
    "_a",
  ]);
  return random.oneIn(9) ? random.text(12, "0123:.[]_a, %") : address + random.pick(["", "", ":80", ":70000", ":_p"]);
}

function protosOf(random: Random): string {
  return random.many(0, 3, () => random.pick(["http", "https", "ws", "WSS", "ftp", ""])).join(",");
}
