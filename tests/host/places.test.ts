/**
 * One server at several places, and the PROXY protocol in front of it, on the sockets of each runtime.
 */

import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Address, ServeOptions } from "../../mod.ts";
import { until } from "../lifecycle/cell.ts";
import { projectPath, ServerProcess } from "../server_process.ts";
import { scgiRequest } from "../scgi/request.ts";
import { CELLS, FLAGS, type HostCell } from "./cells.ts";
import { bytesOf, prefixV2, tlv } from "./proxy_prefix.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const PREFIX = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
const OF_PREFIX = { REMOTE_ADDR: "192.0.2.7", REMOTE_PORT: "56324", SERVER_NAME: "198.51.100.1", SERVER_PORT: "443" };

type Facts = Readonly<Record<string, string>>;
type Place = Readonly<Record<"port", number>> | Readonly<Record<"path", string>>;

/** A client that sends parts, each in a turn of its own, and gives all that comes back as latin-1 text. */
function exchange(place: Place, ...parts: readonly (string | Uint8Array)[]): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const where = "path" in place ? place : { ...place, host: "127.0.0.1" };
    const socket = connect({ ...where, allowHalfOpen: true, noDelay: true });
    socket.setEncoding("latin1").on("data", (part) => text += part);
    socket.on("error", () => {}); // a reset: what came before it counts
    socket.on("end", () => socket.end());
    socket.on("close", () => resolve(text));
    const [first = "", ...rest] = parts;
    socket.write(first, "latin1", () => {
      const next = (): void => {
        const part = rest.shift();
        if (part !== undefined) socket.write(part, "latin1", () => void setImmediate(next));
      };
      setImmediate(next);
    });
  });
}

/** The facts in a response. */
function factsOf(text: string): Facts {
  if (!/^(?:HTTP\/1\.1|Status:) 200 OK\r\n/.test(text)) throw new Error(`no 200: ${JSON.stringify(text)}`);
  return JSON.parse(/\{.*\}/.exec(text)?.[0] ?? "");
}

interface Serving {
  readonly process: ServerProcess;
  readonly places: readonly Place[];
  readonly addresses: readonly Address[];
}

async function serving(
  [runtime, adapter]: HostCell,
  options: ServeOptions,
  use: (serving: Serving) => Promise<void>,
): Promise<void> {
  const process = await ServerProcess.start(runtime, "tests/host/places.ts", /^listens (.*)$/m, {
    flags: FLAGS,
    args: [adapter],
    env: { TSGI_SERVE: JSON.stringify(options) },
  });
  try {
    const said = process.ready[1] as string;
    const [first, ...addresses] = said.startsWith("[") ? JSON.parse(said) as Address[] : [];
    expect(first).toEqual(addresses[0]);
    const places = addresses.map((one): Place => one.transport === "unix" ? { path: one.path } : { port: one.port });
    await use({ process, places, addresses });
  } finally {
    await process.stop();
  }
}

function socketPath(cell: readonly string[]): string {
  return join(tmpdir(), `tsgi-places-${process.pid}-${cell.join("-")}.sock`);
}

describe.concurrent.each(CELLS)("%s, %s", (...cell) => {
  it("15.3 one server at several places: each has its facts and its policy, all have one end", async () => {
    const path = socketPath(cell);
    const options: ServeOptions = {
      drainIdle: 0.1,
      listen: [
        { port: 0 },
        { port: 0, hostname: "localhost", urlScheme: "https" },
        { path, urlScheme: "https" },
        { port: 0, allowIps: ["192.0.2.1"] },
      ],
    };
    await serving(cell, options, async ({ process, places, addresses }) => {
      const [plain, secure, unix, closed] = places as [Place, Place, Place, Place];
      const port = (place: Place): string => String((place as { port: number }).port);
      expect(addresses).toEqual([
        { transport: "tcp", hostname: "127.0.0.1", port: Number(port(plain)) },
        { transport: "tcp", hostname: "localhost", port: Number(port(secure)) },
        { transport: "unix", path },
        { transport: "tcp", hostname: "127.0.0.1", port: Number(port(closed)) },
      ]);
      for (const _ of [1, 2]) { // also after each other: nothing is remembered across them
        expect(factsOf(await exchange(plain, GET))).toMatchObject({
          "wsgi.url_scheme": "http",
          SERVER_NAME: "127.0.0.1",
          SERVER_PORT: port(plain),
          REMOTE_ADDR: "127.0.0.1",
        });
        expect(factsOf(await exchange(plain, GET))).not.toHaveProperty("HTTPS");
        expect(factsOf(await exchange(unix, GET))).toEqual({
          "wsgi.url_scheme": "https",
          HTTPS: "on",
          SERVER_NAME: "localhost",
          SERVER_PORT: "443",
        });
        expect(await exchange(closed, GET)).toMatch(/^HTTP\/1\.1 403 /);
      }
      const { port: securePort } = secure as { port: number };
      const text = await (await fetch(`http://localhost:${securePort}/`, { headers: { connection: "close" } })).text();
      expect(JSON.parse(text)).toMatchObject({ HTTPS: "on", SERVER_NAME: "localhost", SERVER_PORT: port(secure) });

      const waiting = exchange(unix, GET.replace("/", "/wait"));
      await until("a request that waits", () => process.output.includes("waits"));
      await exchange(plain, GET.replace("/", "/stop"));
      expect(factsOf(await waiting)["wsgi.url_scheme"]).toBe("https");
      expect(await process.exited).toEqual({ code: 0, signal: null });
      expect(process.output).toContain("turned away 127.0.0.1");
    });
  }, 30_000);

  it("15.3 all places share maxConnections", async () => {
    await serving(cell, { maxConnections: 1, listen: [{ port: 0 }, { port: 0 }] }, async ({ process, places }) => {
      const [first] = places as [Place, Place];
      const busy = exchange(first, GET.replace("/", "/wait"));
      await until("a request that waits", () => process.output.includes("waits"));
      for (const place of places) expect(await exchange(place, GET)).toMatch(/^HTTP\/1\.1 503 /);
      process.kill("SIGKILL");
      await busy;
    });
  }, 30_000);

  it("15.3 where one place fails, the server listens nowhere and serves nobody", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => holder.once("listening", resolve));
    const taken = (holder.address() as AddressInfo).port;
    try {
      const options = { listen: [{ port: 0 }, { port: taken }] };
      await serving(cell, options, async ({ process }) => {
        expect(process.ready[1]).toBe(
          `not: ListenError: Cannot listen on 127.0.0.1:${taken}: the address is already in use; choose another one, or stop the program that listens there`,
        );
        expect(await process.exited).toEqual({ code: 0, signal: null }); // nothing keeps the process
      });
    } finally {
      holder.close();
    }
  }, 30_000);

  it("15.3 the PROXY protocol, at every split of the bytes", async () => {
    await serving(cell, { port: 0, proxyProtocol: true }, async ({ process, places: [place] }) => {
      const v2 = [...prefixV2(0x21, 0x11, [192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb, ...tlv(4, [0])])];
      for (const prefix of [bytesOf(PREFIX), Uint8Array.from(v2)]) {
        const bytes = Uint8Array.of(...prefix, ...bytesOf(GET));
        const splits = Array.from({ length: prefix.length + 3 }, (_, i) => i + 1);
        await Promise.all(splits.map(async (at) => {
          const text = await exchange(place as Place, bytes.slice(0, at), bytes.slice(at));
          expect(factsOf(text), `split at ${at}`).toMatchObject(OF_PREFIX);
        }));
        const text = await exchange(place as Place, ...Array.from(bytes, (byte) => Uint8Array.of(byte)));
        expect(factsOf(text)).toMatchObject(OF_PREFIX);
      }
      expect(process.stderr).toBe("");
    });
  }, 60_000);

  it("15.3 the PROXY protocol: what balancers sent, and what is no prefix", async () => {
    const path = socketPath([...cell, "proxy"]);
    const options = { proxyProtocol: true, listen: [{ hostname: "0.0.0.0", port: 0 }, { path }] };
    await serving(cell, options, async ({ process, places }) => {
      const [tcp, unix] = places as [{ port: number }, { path: string }];
      const own = { SERVER_NAME: "127.0.0.1", SERVER_PORT: String(tcp.port), REMOTE_ADDR: "127.0.0.1" };
      const cases: readonly (readonly [capture: string, facts: object])[] = [
        ["haproxy-proxy-v2-tcp6", {
          REMOTE_ADDR: "::1",
          REMOTE_PORT: "49956",
          SERVER_NAME: "::1",
          SERVER_PORT: "19103",
        }],
        ["haproxy-proxy-v2-tcp4-crc32c", { REMOTE_ADDR: "127.0.0.1", REMOTE_PORT: "52176", SERVER_PORT: "19101" }],
        ["haproxy-proxy-v1-tcp4", { REMOTE_ADDR: "127.0.0.1", REMOTE_PORT: "41130", SERVER_PORT: "19105" }],
        ["haproxy-proxy-v1-tcp6", { REMOTE_ADDR: "::1", REMOTE_PORT: "46738", SERVER_PORT: "19110" }],
        ["haproxy-proxy-v2-ssl", { REMOTE_PORT: "44314", SERVER_PORT: "19112", "wsgi.url_scheme": "https" }],
        ["haproxy-proxy-v2-ssl-clear", { REMOTE_PORT: "44354", SERVER_PORT: "19111", "wsgi.url_scheme": "http" }],
        ["haproxy-proxy-v2-options", { REMOTE_PORT: "58098", SERVER_PORT: "19114", "wsgi.url_scheme": "https" }],
        ["haproxy-proxy-v1-unknown", own],
        ["haproxy-proxy-v2-local", own],
      ];
      for (const [capture, facts] of cases) {
        const bytes = readFileSync(projectPath(`tests/captures/${capture}.bin`));
        expect(factsOf(await exchange(tcp, closing(bytes)))).toMatchObject(facts);
      }
      const viaUnix = Buffer.concat([prefixV2(0x21, 0x31, new Array<number>(216).fill(65)), bytesOf(GET)]);
      const { REMOTE_ADDR: _none, ...ours } = own;
      expect(factsOf(await exchange(tcp, viaUnix))).toEqual({ ...ours, "wsgi.url_scheme": "http" });
      // Over a Unix socket the addresses come from the prefix too; without one in it, there is none.
      expect(factsOf(await exchange(unix, PREFIX + GET))).toMatchObject(OF_PREFIX);
      const local = factsOf(await exchange(unix, "PROXY UNKNOWN\r\n" + GET));
      expect(local).toEqual({ SERVER_NAME: "localhost", SERVER_PORT: "80", "wsgi.url_scheme": "http" });
      expect(process.stderr).toBe("");

      for (const bad of [GET, "PROXY TCP4 192.0.2.7\r\n" + GET, Uint8Array.of(0x16, 3, 1)]) {
        expect(await exchange(tcp, bad)).toBe("");
      }
      const lines = (): string[] => process.stderr.trim().split("\n");
      await until("three lines", () => lines().length === 3, undefined, () => process.stderr);
      expect(lines()[0]).toMatch(/^tsgi: closed the connection from 127\.0\.0\.1: it does not begin with a prefix/);
      expect(lines()[1]).toMatch(/malformed: 1 fields behind TCP4, not 4$/);
    });
  }, 30_000);

  it(
    "15.3 the PROXY protocol: a prefix of a peer that is not among proxyAllowIps, and one that does not come",
    async () => {
      await serving(
        cell,
        { port: 0, proxyProtocol: true, proxyAllowIps: ["192.0.2.1"] },
        async ({ process, places }) => {
          expect(await exchange(places[0] as Place, PREFIX + GET)).toBe("");
          await until("a line", () => process.stderr !== "");
          expect(process.stderr).toMatch(
            /^tsgi: closed the connection from 127\.0\.0\.1: it is not among proxyAllowIps/,
          );
        },
      );
      await serving(cell, { port: 0, proxyProtocol: true, headerTimeout: 0.5 }, async ({ process, places }) => {
        expect(await exchange(places[0] as Place, PREFIX.slice(0, 20))).toBe("");
        await until("a line", () => process.stderr !== "");
        expect(process.stderr).toMatch(/: it was not ready for its first request within 0\.5 s\n$/);
      });
    },
    30_000,
  );

  it("15.3 the PROXY protocol in front of SCGI", async () => {
    await serving(cell, { port: 0, protocol: "scgi", proxyProtocol: true }, async ({ places }) => {
      const request = scgiRequest({ REQUEST_METHOD: "GET", PATH_INFO: "/", REMOTE_ADDR: "203.0.113.9" }, "0");
      const facts = factsOf(await exchange(places[0] as Place, PREFIX + request));
      expect(facts).toMatchObject({ REMOTE_ADDR: "203.0.113.9", SERVER_PORT: "443" }); // the web server's word counts
    });
  }, 30_000);
});

/** A captured request with a field that closes the connection behind it. */
function closing(bytes: Buffer): Buffer {
  const at = bytes.lastIndexOf("\r\n\r\n") + 2;
  return Buffer.concat([bytes.subarray(0, at), Buffer.from("Connection: close\r\n"), bytes.subarray(at)]);
}
