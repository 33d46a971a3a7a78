/**
 * The fields by which proxies state whose request they relay: what each may be, and that no input but those of the
 * grammar is taken.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isAddress } from "../../core/server/peer_policy.ts";
import * as Field from "../../core/server/forwarded_fields.ts";
import { Refusal } from "../../core/refusal.ts";

const HIDDEN = { address: null, port: "" };
const hop = (address: string, port = ""): object => ({ address, port });

/** Members of X-Forwarded-For; null for what is refused. */
const FOR: readonly (readonly [text: string, expected: object | null])[] = [
  ["192.0.2.7", hop("192.0.2.7")],
  ["192.0.2.7:4711", hop("192.0.2.7", "4711")],
  ["192.0.2.7:0", hop("192.0.2.7", "0")],
  ["192.0.2.7:00080", hop("192.0.2.7", "80")],
  ["192.0.2.7:_p", hop("192.0.2.7")],
  ["2001:db8::7", hop("2001:db8::7")],
  ["[2001:db8::7]", hop("2001:db8::7")],
  ["[2001:db8::7]:4711", hop("2001:db8::7", "4711")],
  ["::ffff:192.0.2.7", hop("::ffff:192.0.2.7")],
  ["unknown", HIDDEN],
  ["Unknown", HIDDEN],
  ["unknown:80", HIDDEN],
  ["_hidden", HIDDEN],
  ["_SEVKISEK.x-y_z:_a", HIDDEN],
  ["unix:", hop("")],
  ["", null],
  ["_", null],
  ["_a b", null],
  ["localhost", null],
  ["192.0.2", null],
  ["192.0.2.256", null],
  ["192.0.02.7", null],
  ["192.0.2.7:", null],
  ["192.0.2.7:65536", null],
  ["192.0.2.7:123456", null],
  ["192.0.2.7:-1", null],
  ["192.0.2.7:80:81", null],
  ["[192.0.2.7]", null],
  ["[::1", null],
  ["::1]", null],
  ["[::1]80", null],
  ["[]", null],
  ["[fe80::1%eth0]", null],
  ["fe80::1%eth0", null],
  ["1::2::3", null],
  ['"192.0.2.7"', null],
  ["10.0.0.0/8", null],
  ["unix:/run/app.sock", null],
];

/** Nodes of Forwarded that differ from members of X-Forwarded-For. */
const NODE: typeof FOR = [
  ["2001:db8::7", null],
  ["unix:", null],
  ["[2001:db8::7]:4711", hop("2001:db8::7", "4711")],
  ["192.0.2.7:4711", hop("192.0.2.7", "4711")],
];

const elements = (text: string): object[] => Field.parseForwarded(text).map((one) => Object.fromEntries(one));

/** Values of Forwarded; null for what is refused. */
const FORWARDED: readonly (readonly [text: string, expected: object[] | null])[] = [
  ["", []],
  [" , ,", []],
  [";", []],
  ["for=192.0.2.43", [{ for: "192.0.2.43" }]],
  ['For="[2001:db8:cafe::17]:4711"', [{ for: "[2001:db8:cafe::17]:4711" }]],
  ["for=192.0.2.60;proto=http;by=203.0.113.43", [{ for: "192.0.2.60", proto: "http", by: "203.0.113.43" }]],
  ["for=192.0.2.43, for=198.51.100.17", [{ for: "192.0.2.43" }, { for: "198.51.100.17" }]],
  ["for=_a;;proto=http;,,for=_b", [{ for: "_a", proto: "http" }, { for: "_b" }]],
  ["for=_a; proto=https ;host=b", [{ for: "_a", proto: "https", host: "b" }]],
  ['for="_a;proto=https"', [{ for: "_a;proto=https" }]], // CVE-2026-32762 of rack
  ['for="_a,for=_b"', [{ for: "_a,for=_b" }]],
  ['a="\\"\\\\\\;";for=_a', [{ a: '"\\;', for: "_a" }]],
  ['a="";for=_a', [{ a: "", for: "_a" }]],
  ["FOR=_a;PROTO=HTTP", [{ for: "_a", proto: "HTTP" }]],
  ["for=_a;x-ext=1", [{ for: "_a", "x-ext": "1" }]],
  ["for=_a;for=_b", null],
  ["for=_a;FOR=_a", null],
  ["for", null],
  ["for=", null],
  ["=_a", null],
  ["for =_a", null],
  ["for= _a", null],
  ["for=_a proto=http", null],
  ["for=192.0.2.43:4711", null], // a colon needs quotes
  ["for=[::1]", null],
  ['for="_a', null],
  ['for=_a"', null],
  ['for="_a"b', null],
  ['for="_a"proto=http', null],
  ['for="_a\\', null],
  ["for='_a;b'c d", null],
];

const HOSTS = [
  ["example.org", true],
  ["example.org:8443", true],
  ["[::1]:80", true],
  ["", false],
  [":80", false],
  ["a b", false],
  ["a/b", false],
  ["user@b", false],
  ["a:b", false],
  ["a:65536", false],
  ["[::1", false],
  ["a,b", true], // a reg-name; a list is split before
] as const;

const PREFIXES = [
  ["/", { raw: "", path: "" }],
  ["/api", { raw: "/api", path: "/api" }],
  ["/api/", { raw: "/api", path: "/api" }],
  ["/a%20b/c", { raw: "/a%20b/c", path: "/a b/c" }],
  ["/%C3%A9", { raw: "/%C3%A9", path: "/\u00c3\u00a9" }],
  ["/a..b/...", { raw: "/a..b/...", path: "/a..b/..." }],
  ["", null],
  ["api", null],
  ["//", null],
  ["//b.test", null],
  ["/a//b", null],
  ["/..", null],
  ["/a/../b", null],
  ["/./a", null],
  ["/%2e%2E/a", null],
  ["/a/%2e", null],
  ["/%2f/a", null],
  ["/%", null],
  ["/%zz", null],
  ["/a%00", null],
  ["/a%0d%0a", null],
  ["/a%5Cb", null],
  ["/a\\b", null],
  ["/a?b", null],
  ["/a#b", null],
  ["/a b", null],
  ["/\u00e9", null],
  ["http://b.test/a", null],
] as const;

/** What `parse` makes of a text; null if it refuses it. Any other error is a fault. */
function parsed<T>(parse: (text: string) => T, text: string): T | null {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof Refusal && error.status.startsWith("400 ")) return null;
    throw error;
  }
}

describe("18.3 the grammars of forwarded fields", () => {
  it.each(FOR)("X-Forwarded-For: %j", (text, expected) => {
    expect(parsed(Field.parseForwardedFor, text)).toEqual(expected);
  });

  it.each(NODE)("Forwarded: for=%j", (text, expected) => {
    expect(parsed((one) => Field.parseNode(one, "Forwarded"), text)).toEqual(expected);
  });

  it.each(FORWARDED)("Forwarded: %s", (text, expected) => {
    expect(parsed(elements, text)).toEqual(expected);
  });

  it.each([
    ...["http", "HTTP", "ws", "Ws"].map((text) => [text, "http"]),
    ...["https", "HTTPS", "wss"].map((text) => [text, "https"]),
    ...["", "on", "ftp", "https;", "https ", "httpſ"].map((text) => [text, null]),
  ])("X-Forwarded-Proto: %j", (text, expected) => {
    expect(parsed((one) => Field.parseProto(one, "X-Forwarded-Proto"), text as string)).toBe(expected);
  });

  it.each(HOSTS)("X-Forwarded-Host: %j", (text, good) => {
    expect(parsed((one) => Field.parseHost(one, "X-Forwarded-Host"), text)).toBe(good ? text : null);
  });

  it.each([
    ...["1", "443", "65535"].map((text) => [text, text]),
    ...["", "0", "080", "65536", "-1", "+1", "1.0", "0x1", "443 ", "99999", "123456"].map((text) => [text, null]),
  ])("X-Forwarded-Port: %j", (text, expected) => {
    expect(parsed(Field.parsePort, text as string)).toBe(expected);
  });

  it.each(PREFIXES)("X-Forwarded-Prefix: %j", (text, expected) => {
    expect(parsed(Field.parsePrefix, text)).toEqual(expected);
  });
});

const LATIN1 = fc.string({ unit: fc.integer({ min: 0x20, max: 0xff }).map((unit) => String.fromCharCode(unit)) });
/** Text of the characters that the grammars use. */
const NEAR = fc.string({
  unit: fc.constantFrom(...'for="\\;, \t:[]_unknow.1290af%/%2e2fproto'.split("")),
  maxLength: 60,
});
const TOKEN = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,8}$/);
const QUOTABLE = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).filter((unit) => unit !== 0x7f).map((unit) => String.fromCharCode(unit)),
});
const PARAMETERS = fc.uniqueArray(fc.tuple(TOKEN, fc.oneof(TOKEN, QUOTABLE)), {
  minLength: 1,
  maxLength: 5,
  selector: ([name]) => name.toLowerCase(),
});

/** Writes a value as a token where it may be one, else as a quoted string. */
function written(value: string): string {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
}

describe("18.3 forwarded fields: what holds for every input", () => {
  const parsers: readonly (readonly [name: string, parse: (text: string) => unknown])[] = [
    ["Forwarded", Field.parseForwarded],
    ["X-Forwarded-For", Field.parseForwardedFor],
    ["a node", (text) => Field.parseNode(text, "Forwarded")],
    ["X-Forwarded-Host", (text) => Field.parseHost(text, "X-Forwarded-Host")],
    ["X-Forwarded-Prefix", Field.parsePrefix],
  ];

  it.each(parsers)("%s is parsed or refused, and nothing else is thrown", (_name, parse) => {
    fc.assert(fc.property(fc.oneof(LATIN1, NEAR), (text) => void parsed(parse, text)), { numRuns: 2000 });
  });

  it("an address that is taken is one, and a port is a number up to 65535", () => {
    fc.assert(
      fc.property(fc.oneof(LATIN1, NEAR, fc.ipV4(), fc.ipV6()), (text) => {
        const found = parsed(Field.parseForwardedFor, text);
        if (found === null || found.address === null || found.address === "") return;
        expect(isAddress(found.address)).toBe(true);
        expect(found.port === "" || Number(found.port) <= 65535).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it("each address of IPv4 is found, with and without a port, in both fields", () => {
    fc.assert(fc.property(fc.ipV4(), fc.option(fc.nat(65535), { nil: undefined }), (address, port) => {
      const expected = { address, port: port === undefined ? "" : String(port) };
      const text = port === undefined ? address : `${address}:${port}`;
      expect(Field.parseForwardedFor(text)).toEqual(expected);
      expect(Field.parseNode(text, "Forwarded")).toEqual(expected);
    }));
  });

  it("what is put together from elements and parameters is taken apart into the same", () => {
    fc.assert(
      fc.property(fc.array(PARAMETERS, { maxLength: 4 }), fc.constantFrom(",", ", ", " ,\t"), (lists, comma) => {
        const text = lists.map((list) => list.map(([name, value]) => `${name}=${written(value)}`).join(";")).join(
          comma,
        );
        const expected = lists.map((list) =>
          Object.fromEntries(list.map(([name, value]) => [name.toLowerCase(), value]))
        );
        expect(elements(text)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it("a prefix that is taken leads nowhere else", () => {
    fc.assert(
      fc.property(fc.oneof(fc.webPath(), NEAR.map((text) => `/${text}`)), (text) => {
        const path = parsed(Field.parsePrefix, text)?.path;
        if (path === undefined || path === "") return;
        expect(path).toMatch(/^\/.*[^/]$/s);
        expect(new URL(`http://a${path.replaceAll("%", "%25").replaceAll("?", "%3f").replaceAll("#", "%23")}`).host)
          .toBe("a");
        expect(path.split("/").slice(1).every((one) => one !== "" && one !== "." && one !== "..")).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it("a long field takes time in proportion to its length", () => {
    for (const unit of ['for="', "a=b;", "a=\\", '"\\"', ";,", "[", ":", "%2e/"]) {
      const text = unit.repeat(200_000 / unit.length);
      const before = performance.now();
      for (const [, parse] of parsers) parsed(parse, text);
      expect(performance.now() - before).toBeLessThan(2000);
    }
  });
});
