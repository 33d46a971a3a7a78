/**
 * The walk from the peer to the client, for any chain of proxies: the client cannot choose what is found out about it.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { connectionTemplate, serverTemplate } from "../../core/contract/environ.ts";
import { ErrorStream } from "../../core/contract/error_stream.ts";
import type { Environ } from "../../core/contract/types.ts";
import { FORWARDED_HEADERS } from "../../core/server/option_table.ts";
import { forwardingOf } from "../../core/server/forwarded.ts";

const PEER = { remoteAddress: "127.0.0.1", remotePort: "50000", localAddress: "127.0.0.1", localPort: "80" };
const template = connectionTemplate(
  serverTemplate({
    serverName: "127.0.0.1",
    serverPort: "80",
    scheme: "http",
    multiprocess: false,
    runOnce: false,
    errors: new ErrorStream(() => {}),
  }),
  PEER,
);
const PROXIES = ["127.0.0.0/8", "10.0.0.0/8", "fd00::/8"];

/** The environ of a request with these fields, whose peer is a trusted proxy. */
function environOf(
  fields: Readonly<Record<string, string>>,
  ips: readonly string[] | "*" = PROXIES,
  more: Readonly<Record<string, string>> = {},
): Environ {
  const forwarding = forwardingOf(ips, FORWARDED_HEADERS)(PEER, template);
  if (forwarding === undefined) throw new Error("The peer is not believed");
  const keys = Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [`HTTP_${name.toUpperCase().replaceAll("-", "_")}`, value]),
  );
  const environ = { ...forwarding.template, REQUEST_URI: "/x", PATH_INFO: "/x", HTTP_HOST: "a", ...more, ...keys };
  forwarding.apply(environ as unknown as Environ, Object.entries({ HTTP_HOST: "a", ...keys }).flat());
  return environ as unknown as Environ;
}

const PROXY = fc.oneof(
  fc.nat(0xffffff).map((n) => `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}`),
  fc.nat(0xffff).map((n) => `fd00::${n.toString(16)}`),
);
const CLIENT = fc.oneof(
  fc.nat(255).map((n) => `192.0.2.${n}`),
  fc.nat(0xffff).map((n) => `2001:db8::${n.toString(16)}`),
);
const PORT = fc.option(fc.integer({ min: 0, max: 65535 }), { nil: undefined });
/** What a client may write into a field: no controls. */
const FORGED = fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((unit) => String.fromCharCode(unit)) });

function memberOf(address: string, port: number | undefined): string {
  if (port === undefined) return address;
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

function nodeOf(address: string, port: number | undefined): string {
  const node = address.includes(":") ? `[${address}]` : address;
  return `for="${port === undefined ? node : `${node}:${port}`}"`;
}

describe("18.3 the right-most untrusted hop wins", () => {
  it("whatever the client writes into X-Forwarded-For, and however many proxies there are", () => {
    fc.assert(
      fc.property(FORGED, CLIENT, PORT, fc.array(PROXY, { maxLength: 4 }), (forged, client, port, proxies) => {
        const value = [forged, memberOf(client, port), ...proxies].join(", ");
        const environ = environOf({ "X-Forwarded-For": value });
        expect([environ.REMOTE_ADDR, environ.REMOTE_PORT]).toEqual([client, port === undefined ? port : String(port)]);
        expect(environ["tsgi.peer"]).toEqual({ address: "127.0.0.1", port: "50000" });
      }),
      { numRuns: 1000 },
    );
  });

  it("the members of the same hop count in the lists beside it", () => {
    const scheme = fc.constantFrom("http", "https");
    const hops = fc.array(fc.tuple(PROXY, scheme), { maxLength: 4 });
    fc.assert(
      fc.property(FORGED, CLIENT, scheme, hops, (forged, client, spoken, proxies) => {
        const environ = environOf({
          "X-Forwarded-For": [forged.replaceAll(",", ""), client, ...proxies.map(([address]) => address)].join(","),
          "X-Forwarded-Proto": [forged.replaceAll(",", ""), spoken, ...proxies.map(([, one]) => one)].join(","),
        });
        expect([environ.REMOTE_ADDR, environ["wsgi.url_scheme"]]).toEqual([client, spoken]);
        expect(environ.HTTPS).toBe(spoken === "https" ? "on" : undefined);
      }),
      { numRuns: 500 },
    );
  });

  it("in Forwarded too, with whatever a client can write there by the grammar", () => {
    const quoted = FORGED.map((text) => `for="${text.replace(/["\\]/g, "\\$&")}";proto=gopher;host="a b"`);
    fc.assert(
      fc.property(quoted, CLIENT, PORT, fc.array(PROXY, { maxLength: 4 }), (forged, client, port, proxies) => {
        const own = `${nodeOf(client, port)};proto=https;host="b.test:81"`;
        const value = [forged, own, ...proxies.map((one) => `${nodeOf(one, undefined)};proto=http`)].join(", ");
        const environ = environOf({ Forwarded: value });
        expect([environ.REMOTE_ADDR, environ["wsgi.url_scheme"], environ.HTTP_HOST]).toEqual([
          client,
          "https",
          "b.test:81",
        ]);
      }),
      { numRuns: 500 },
    );
  });

  it('with "*" the right-most member is the client', () => {
    fc.assert(fc.property(FORGED, CLIENT, (forged, client) => {
      expect(environOf({ "X-Forwarded-For": `${forged}, ${client}` }, "*").REMOTE_ADDR).toBe(client);
    }));
  });

  it("a prefix stands before the mount point", () => {
    const mounted = { SCRIPT_NAME: "/app", PATH_INFO: "/x", REQUEST_URI: "/app/x" };
    expect(environOf({ "X-Forwarded-Prefix": "/a%20b" }, PROXIES, mounted)).toMatchObject({
      SCRIPT_NAME: "/a b/app",
      PATH_INFO: "/x",
      REQUEST_URI: "/a%20b/app/x",
    });
    const absolute = { REQUEST_URI: "http://a/x" };
    expect(environOf({ "X-Forwarded-Prefix": "/p" }, PROXIES, absolute)).toMatchObject({
      SCRIPT_NAME: "/p",
      ...absolute,
    });
  });
});
