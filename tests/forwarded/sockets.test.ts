/**
 * Trusted proxies on the sockets of each runtime: what the application, the bridges and the access log see of a client
 * behind a proxy, and that a client without one can state nothing.
 */

import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Address, ServeOptions } from "../../mod.ts";
import { bytesOf, prefixV2, tlv } from "../host/proxy_prefix.ts";
import { until } from "../lifecycle/cell.ts";
import { type Runtime, ServerProcess } from "../server_process.ts";

type Facts = Readonly<Record<string, unknown>>;
type Lines = readonly string[];

const ALL = [
  "X-Forwarded-For",
  "X-Forwarded-Proto",
  "X-Forwarded-Host",
  "X-Forwarded-Port",
  "X-Forwarded-Prefix",
  "Forwarded",
] as const;
const PROXIES = ["127.0.0.0/8", "10.0.0.0/8", "2001:db8:f::/48"];

/** The places of one server, by what each is for. */
const PLACES = ["all", "usual", "any", "untrusted", "off", "secure", "proxied", "unix"] as const;
type PlaceName = (typeof PLACES)[number];

function options(path: string): ServeOptions {
  const of: Readonly<Record<PlaceName, NonNullable<ServeOptions["listen"]>[number]>> = {
    all: { port: 0, forwardedAllowIps: PROXIES, forwardedHeaders: ALL },
    usual: { port: 0, forwardedAllowIps: PROXIES },
    any: { port: 0, forwardedAllowIps: "*" },
    untrusted: { port: 0, forwardedAllowIps: ["192.0.2.1", "unix"], forwardedHeaders: ALL },
    off: { port: 0 },
    secure: { port: 0, urlScheme: "https", forwardedAllowIps: PROXIES },
    proxied: { port: 0, proxyProtocol: true, forwardedAllowIps: ["10.0.0.0/8", "127.0.0.1"] },
    unix: { path, forwardedAllowIps: ["unix", "10.0.0.0/8"] },
  };
  return { listen: PLACES.map((name) => of[name]) };
}

/** Requests that the place "all" serves, and what they change; `undefined` is a key that is absent. */
const SERVED: readonly (readonly [name: string, lines: Lines, facts: Facts])[] = [
  ["nothing", [], {
    REMOTE_ADDR: "127.0.0.1",
    REMOTE_PORT: expect.any(String),
    "wsgi.url_scheme": "http",
    HTTP_HOST: "a",
  }],
  ["an address", ["X-Forwarded-For: 192.0.2.7"], { REMOTE_ADDR: "192.0.2.7", REMOTE_PORT: undefined }],
  ["a port", ["X-Forwarded-For: [2001:db8::7]:77"], { REMOTE_ADDR: "2001:db8::7", REMOTE_PORT: "77" }],
  ["the right-most one", ["X-Forwarded-For: 6.6.6.6, 192.0.2.7"], { REMOTE_ADDR: "192.0.2.7" }],
  ["behind two proxies", ["X-Forwarded-For: 6.6.6.6,192.0.2.7, 2001:db8:f::1 ,10.1.1.1"], { REMOTE_ADDR: "192.0.2.7" }],
  ["mapped proxies", ["X-Forwarded-For: 192.0.2.7, ::ffff:10.1.1.1"], { REMOTE_ADDR: "192.0.2.7" }],
  ["in two lines", ["X-Forwarded-For: 192.0.2.7", "X-Forwarded-For: 10.1.1.1"], { REMOTE_ADDR: "192.0.2.7" }],
  ["proxies only", ["X-Forwarded-For: 10.1.1.2, 10.1.1.1"], { REMOTE_ADDR: "10.1.1.2" }],
  ["empty members", ["X-Forwarded-For: , 192.0.2.7,, 10.1.1.1,"], { REMOTE_ADDR: "192.0.2.7" }],
  ["no member", ["X-Forwarded-For:"], { REMOTE_ADDR: "127.0.0.1" }],
  ["what the client has made up", ["X-Forwarded-For: <script>, 192.0.2.7"], { REMOTE_ADDR: "192.0.2.7" }],
  ["a hidden client", ["X-Forwarded-For: 6.6.6.6, _a"], { REMOTE_ADDR: undefined, REMOTE_PORT: undefined }],
  ["an unknown client", ["X-Forwarded-For: 6.6.6.6, unknown, 10.1.1.1"], { REMOTE_ADDR: undefined }],
  ["a client at a Unix socket", ["X-Forwarded-For: 6.6.6.6, unix:"], { REMOTE_ADDR: undefined }],
  ["a scheme", ["X-Forwarded-Proto: https"], { "wsgi.url_scheme": "https", HTTPS: "on", REMOTE_ADDR: "127.0.0.1" }],
  ["a scheme twice", ["X-Forwarded-Proto: https", "X-Forwarded-Proto: HTTPS"], { "wsgi.url_scheme": "https" }],
  ["a host twice", ["X-Forwarded-Host: B.test", "X-Forwarded-Host: b.test"], { HTTP_HOST: "B.test" }],
  ["a WebSocket", ["X-Forwarded-Proto: wss"], { "wsgi.url_scheme": "https" }],
  ["the right-most scheme", ["X-Forwarded-Proto: https, http"], { "wsgi.url_scheme": "http", HTTPS: undefined }],
  [
    "the scheme of the client's hop",
    ["X-Forwarded-For: 192.0.2.7, 10.1.1.1", "X-Forwarded-Proto: http, https, http"],
    { "wsgi.url_scheme": "https", REMOTE_ADDR: "192.0.2.7" },
  ],
  [
    "one scheme for all hops",
    ["X-Forwarded-For: 192.0.2.7, 10.1.1.1", "X-Forwarded-Proto: https"],
    { "wsgi.url_scheme": "https" },
  ],
  ["a host", ["X-Forwarded-Host: b.test:81"], {
    HTTP_HOST: "b.test:81",
    SERVER_PORT: expect.not.stringMatching(/^81$/),
  }],
  ["a port", ["X-Forwarded-Port: 8443"], { HTTP_HOST: "a:8443", SERVER_PORT: "8443" }],
  [
    "the port of the scheme",
    ["X-Forwarded-Port: 443", "X-Forwarded-Proto: https", "X-Forwarded-Host: b.test"],
    { HTTP_HOST: "b.test", SERVER_PORT: "443" },
  ],
  ["an IPv6 host", ["X-Forwarded-Host: [::1]", "X-Forwarded-Port: 81"], { HTTP_HOST: "[::1]:81" }],
  ["one port twice", ["X-Forwarded-Host: b:81", "X-Forwarded-Port: 81"], { HTTP_HOST: "b:81", SERVER_PORT: "81" }],
  ["a prefix", ["X-Forwarded-Prefix: /api/"], { SCRIPT_NAME: "/api", PATH_INFO: "/x", REQUEST_URI: "/api/x?q" }],
  ["an encoded prefix", ["X-Forwarded-Prefix: /%61b"], { SCRIPT_NAME: "/ab", REQUEST_URI: "/%61b/x?q" }],
  ["the prefix /", ["X-Forwarded-Prefix: /"], { SCRIPT_NAME: "", PATH_INFO: "/x", REQUEST_URI: "/x?q" }],
  [
    "Forwarded",
    ['Forwarded: for=6.6.6.6, FOR="[2001:db8::7]:77";Proto=https;host="b.test:81";by=_us, for=10.1.1.1;proto=http'],
    { REMOTE_ADDR: "2001:db8::7", REMOTE_PORT: "77", "wsgi.url_scheme": "https", HTTP_HOST: "b.test:81" },
  ],
  ["Forwarded without a client", ["Forwarded: for=6.6.6.6, proto=https"], { REMOTE_ADDR: "127.0.0.1", HTTPS: "on" }],
  ["a semicolon in quotes", ['Forwarded: for=_a;x="b;proto=https"'], { "wsgi.url_scheme": "http" }],
  [
    "fields that agree",
    ["X-Forwarded-For: 2001:db8:0::7", 'Forwarded: for="[2001:db8::7]";proto=wss', "X-Forwarded-Proto: https"],
    { REMOTE_ADDR: "2001:db8:0::7", "wsgi.url_scheme": "https" },
  ],
];

/** Requests that the place "all" refuses, and what the log says. */
const REFUSED: readonly (readonly [name: string, lines: Lines, reason: RegExp])[] = [
  ["no address", ["X-Forwarded-For: localhost"], /X-Forwarded-For, which is believed, has a client that is not/],
  ["no address behind a proxy", ["X-Forwarded-For: x, 10.1.1.1"], /has a client that is not an address/],
  ["a port", ["X-Forwarded-For: 192.0.2.7:99999"], /has a port above 65535/],
  ["a scheme", ["X-Forwarded-Proto: gopher"], /X-Forwarded-Proto, .* has a scheme that is not http or https/],
  ["two schemes", ["X-Forwarded-Proto: https", "X-Forwarded-Proto: http"], /given twice with different values/],
  ["two hosts", ["X-Forwarded-Host: a", "X-Forwarded-Host: b"], /X-Forwarded-Host, .* given twice/],
  ["two prefixes", ["X-Forwarded-Prefix: /a", "X-Forwarded-Prefix: /A"], /X-Forwarded-Prefix, .* given twice/],
  ["a host", ["X-Forwarded-Host: a/b"], /has a host that is not a host/],
  ["port 0", ["X-Forwarded-Port: 0"], /has a port that is not a number from 1 to 65535/],
  ["two ports", ["X-Forwarded-Host: b:81", "X-Forwarded-Port: 82"], /the host and X-Forwarded-Port.* contradict/],
  ["a prefix", ["X-Forwarded-Prefix: /a/%2e%2e/b"], /has a path that does not begin with a slash or is not normal/],
  ["a parameter twice", ["Forwarded: for=_a;for=_b"], /Forwarded, .* has a parameter twice in one element/],
  ["an open quote", ['Forwarded: for="_a, for=10.1.1.1'], /has a parameter that is not name=value/],
  ["two clients", ["X-Forwarded-For: 192.0.2.7", "Forwarded: for=192.0.2.8"], /contradict each other/],
  ["a client that is hidden once", ["X-Forwarded-For: 192.0.2.7", "Forwarded: for=_a"], /contradict each other/],
  ["Forwarded and its scheme", ["X-Forwarded-Proto: http", "Forwarded: proto=https"], /contradict each other/],
  ["Forwarded and its host", ["X-Forwarded-Host: a", "Forwarded: host=b"], /contradict each other/],
];

/** A request. */
function get(lines: Lines = [], target = "/x?q"): string {
  return [`GET ${target} HTTP/1.1`, "Host: a", ...lines, "", ""].join("\r\n");
}

describe.concurrent.each<Runtime>(["node", "deno", "bun"])("%s", (runtime) => {
  const path = join(tmpdir(), `tsgi-forwarded-${process.pid}-${runtime}.sock`);
  let server: ServerProcess;
  let addresses: readonly Address[];

  beforeAll(async () => {
    const env = { TSGI_SERVE: JSON.stringify(options(path)) };
    server = await ServerProcess.start(runtime, "tests/forwarded/main.ts", /^listens (.*)$/m, { flags: ["-A"], env });
    addresses = JSON.parse(server.ready[1] as string);
  }, 30_000);
  afterAll(() => server.stop());

  /** Sends bytes on one connection and ends it; the bodies of the responses, or their status where they are no 200. */
  function ask(place: PlaceName, bytes: string | Uint8Array): Promise<unknown[]> {
    const address = addresses[PLACES.indexOf(place)] as Address;
    const where = address.transport === "unix" ? { path: address.path } : { port: address.port, host: "127.0.0.1" };
    return new Promise((resolve, reject) => {
      let text = "";
      const socket = connect({ ...where, allowHalfOpen: true });
      socket.setEncoding("latin1").on("data", (part) => text += part).on("error", reject);
      socket.on("end", () => {
        socket.end();
        resolve(
          text.split(/(?=HTTP\/1\.1 \d{3} )/).filter((one) => one !== "").map((one) => {
            const [head = "", body = ""] = one.split("\r\n\r\n");
            return head.startsWith("HTTP/1.1 200 ") ? JSON.parse(body.match(/\{.*\}/)?.[0] ?? "") : head.slice(9, 12);
          }),
        );
      });
      socket.end(bytes, ...(typeof bytes === "string" ? ["latin1"] as const : []));
    });
  }

  async function facts(place: PlaceName, lines: Lines, target?: string): Promise<Facts> {
    const answers = await ask(place, get(lines, target));
    expect(answers).toHaveLength(1);
    return answers[0] as Facts;
  }

  function expectFacts(found: Facts, expected: Facts): void {
    for (const [key, value] of Object.entries(expected)) expect([key, found[key]]).toEqual([key, value]);
  }

  it("18.3 each field that is believed", async () => {
    for (const [name, lines, expected] of SERVED) {
      try {
        expectFacts(await facts("all", lines), expected);
      } catch (error) {
        throw new Error(`${name}: ${lines.join(" | ")}`, { cause: error });
      }
    }
  });

  it("18.3 a malformed field and a contradiction are a 400, with a line in both logs", async () => {
    for (const [name, lines, reason] of REFUSED) {
      const before = server.stderr.length;
      const uri = `/refused/${encodeURIComponent(name)}`;
      expect([name, await ask("all", get(lines, uri) + get())]).toEqual([name, ["400"]]); // and the connection ends
      await until(name, () => reason.test(server.stderr.slice(before)), undefined, () => server.stderr.slice(before));
      expect(server.stderr.slice(before)).toMatch(/^tsgi: refused a request from 127\.0\.0\.1: 400 Bad Request: /);
      const line = `log ${JSON.stringify({ status: 400, refused: true, from: "127.0.0.1", uri })}`;
      await until(line, () => server.output.includes(line));
    }
  });

  it("18.3 one connection of a proxy carries many clients, and none is taken for another", async () => {
    const clients = Array.from({ length: 60 }, (_, i) => i);
    // Heads that are alike but for one value, equal ones in between, and some that state nothing.
    const lines = (i: number): Lines =>
      i % 5 === 4 ? [] : [
        `X-Forwarded-For: 192.0.2.${i % 3 === 0 ? 1 : i}`,
        `X-Forwarded-Proto: ${i % 2 === 0 ? "https" : "http"}`,
        ...(i % 7 === 0 ? ["X-Forwarded-Host: b.test", "X-Forwarded-Prefix: /p"] : []),
      ];
    const answers = await ask("all", clients.map((i) => get(lines(i))).join(""));
    expect(answers).toHaveLength(clients.length);
    clients.forEach((i) => {
      const states = i % 5 !== 4;
      expectFacts(answers[i] as Facts, {
        REMOTE_ADDR: states ? `192.0.2.${i % 3 === 0 ? 1 : i}` : "127.0.0.1",
        REMOTE_PORT: states ? undefined : expect.any(String),
        "wsgi.url_scheme": states && i % 2 === 0 ? "https" : "http",
        HTTPS: states && i % 2 === 0 ? "on" : undefined,
        HTTP_HOST: states && i % 7 === 0 ? "b.test" : "a",
        SCRIPT_NAME: states && i % 7 === 0 ? "/p" : "",
      });
    });
    // Between connections too: the models of heads belong to the server.
    for (const i of [1, 2, 1, 3]) {
      expectFacts(await facts("all", lines(i)), { REMOTE_ADDR: `192.0.2.${i % 3 === 0 ? 1 : i}` });
      expectFacts(await facts("off", lines(i)), { REMOTE_ADDR: "127.0.0.1", "wsgi.url_scheme": "http" });
    }
  });

  it("18.3 off, and from a peer that is not trusted, the fields change nothing", async () => {
    const lines = SERVED.flatMap(([, one]) => one).concat(REFUSED.flatMap(([, one]) => one)).slice(0, 60);
    for (const place of ["off", "untrusted"] as const) {
      expectFacts(await facts(place, lines), {
        REMOTE_ADDR: "127.0.0.1",
        REMOTE_PORT: expect.any(String),
        "wsgi.url_scheme": "http",
        HTTPS: undefined,
        HTTP_HOST: "a",
        SCRIPT_NAME: "",
        REQUEST_URI: "/x?q",
        "tsgi.peer": undefined,
      });
    }
  });

  it("18.3 by default only X-Forwarded-For and X-Forwarded-Proto are believed", async () => {
    const lines = [
      "X-Forwarded-For: 192.0.2.7",
      "X-Forwarded-Proto: https",
      "X-Forwarded-Host: evil.test",
      "X-Forwarded-Port: x",
      "X-Forwarded-Prefix: /../",
      'Forwarded: for="',
      "X_Forwarded_For: 6.6.6.6",
    ];
    expectFacts(await facts("usual", lines), {
      REMOTE_ADDR: "192.0.2.7",
      "wsgi.url_scheme": "https",
      HTTP_HOST: "a",
      SCRIPT_NAME: "",
      "tsgi.peer": { address: "127.0.0.1", port: expect.stringMatching(/^\d+$/) },
    });
  });

  it('18.3 "*", a listener with https, a Unix socket, and the PROXY protocol', async () => {
    const hops = ["X-Forwarded-For: 6.6.6.6, 192.0.2.7, 10.1.1.1"];
    expectFacts(await facts("any", hops), { REMOTE_ADDR: "10.1.1.1" }); // no address tells a proxy from a client
    expectFacts(await facts("secure", ["X-Forwarded-Proto: http"]), { "wsgi.url_scheme": "http", HTTPS: undefined });
    expectFacts(await facts("secure", []), { "wsgi.url_scheme": "https", HTTPS: "on" });
    const unix = { "tsgi.peer": { address: "", port: "" } };
    expectFacts(await facts("unix", hops), { ...unix, REMOTE_ADDR: "192.0.2.7" });
    expectFacts(await facts("unix", ["X-Forwarded-For: 192.0.2.7, unix:"]), { ...unix, REMOTE_ADDR: "192.0.2.7" });
    expectFacts(await facts("unix", []), { ...unix, REMOTE_ADDR: undefined });

    // The peer is the one that the prefix states: it wrote the request.
    const from = (address: string): string => `PROXY TCP4 ${address} 198.51.100.1 56324 443\r\n`;
    const one = async (bytes: string | Uint8Array): Promise<Facts> => (await ask("proxied", bytes))[0] as Facts;
    expectFacts(await one(from("10.2.2.2") + get(hops)), {
      REMOTE_ADDR: "192.0.2.7",
      "tsgi.peer": { address: "10.2.2.2", port: "56324" },
    });
    expectFacts(await one(from("192.0.2.9") + get(hops)), { REMOTE_ADDR: "192.0.2.9", "tsgi.peer": undefined });
    expectFacts(await one(from("127.0.0.9") + get(hops)), { REMOTE_ADDR: "127.0.0.9", "tsgi.peer": undefined });
  });

  it("18.3 a balancer that states no client is no proxy whose fields are believed", async () => {
    const request = get(["X-Forwarded-For: 8.8.8.8", "X-Forwarded-Proto: https"]);
    const [found] = await ask("proxied", `PROXY UNKNOWN\r\n${request}`) as [Facts];
    expectFacts(found, { REMOTE_ADDR: "127.0.0.1", "wsgi.url_scheme": "http" });
  });

  it("18.3 version 2 of the PROXY protocol states that the client spoke TLS", async () => {
    const tcp4 = [192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb];
    const version = tlv(0x21, [...bytesOf("TLSv1.3")]);
    const cases: readonly (readonly [name: string, bits: number, verify: number, scheme: string])[] = [
      ["TLS without a certificate of the client", 1, 0, "https"],
      ["TLS, verify not 0", 1, 1, "https"],
      ["TLS with a certificate", 7, 0, "https"],
      ["no TLS", 0, 0, "http"],
      ["no TLS, other bits", 6, 0, "http"],
    ];
    for (const [name, bits, verify, scheme] of cases) {
      const prefix = prefixV2(0x21, 0x11, [...tcp4, ...tlv(0x20, [bits, 0, 0, 0, verify, ...version])]);
      const [found] = await ask("proxied", Uint8Array.of(...prefix, ...bytesOf(get())));
      const https = scheme === "https" ? "on" : undefined;
      expect([name, found]).toEqual([name, expect.objectContaining({ REMOTE_ADDR: "192.0.2.7" })]);
      expectFacts(found as Facts, { "wsgi.url_scheme": scheme, HTTPS: https });
    }
  });

  it("18.3 Express, Hono and the access log see the same", async () => {
    const lines = [
      "X-Forwarded-For: 6.6.6.6, 192.0.2.7:77",
      "X-Forwarded-Proto: https",
      "X-Forwarded-Host: b.test",
      "X-Forwarded-Port: 8443",
      "X-Forwarded-Prefix: /p",
    ];
    expect(await facts("all", lines, "/express?q")).toEqual({
      ip: "192.0.2.7",
      port: 77,
      protocol: "https",
      secure: true,
      hostname: "b.test",
      originalUrl: "/p/express?q",
      baseUrl: "/p",
      url: "/express?q",
    });
    expect(await facts("all", lines, "/hono?q")).toEqual({
      url: "https://b.test:8443/p/hono?q",
      host: "b.test:8443",
      address: "192.0.2.7",
      port: 77,
      addressType: "IPv4",
    });
    for (const uri of ["/p/express?q", "/p/hono?q"]) {
      const line = `log ${JSON.stringify({ status: 200, from: "192.0.2.7", uri })}`;
      await until(line, () => server.output.includes(line), undefined, () => server.output);
    }
    // The next client on another connection, which states nothing.
    expect(await facts("off", [], "/express")).toMatchObject({ ip: "127.0.0.1", protocol: "http", hostname: "a" });
    expect(await facts("off", [], "/hono")).toMatchObject({ url: "http://a/hono", address: "127.0.0.1" });
  });
});
