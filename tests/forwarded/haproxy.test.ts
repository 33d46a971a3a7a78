/**
 * A real haproxy in front of each runtime: the documented configuration, and each prefix of the PROXY protocol that it
 * can send, to a port, to a Unix socket and before TLS. Its own checks find every server up.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Address } from "../../mod.ts";
import { block, substituted } from "../front/documented.ts";
import { Instance } from "../front/instance.ts";
import { find, haproxy } from "../front/programs.ts";
import { until } from "../lifecycle/cell.ts";
import { type Runtime, ServerProcess } from "../server_process.ts";
import { Certificates, type Pair } from "../tls/certificates.ts";

type Facts = Readonly<Record<string, unknown>>;

/** What is sent behind `server`, and whether it says that the client spoke TLS. */
const PREFIXES: readonly (readonly [words: string, saysTls: boolean])[] = [
  ["send-proxy", false],
  ["send-proxy-v2", false],
  ["send-proxy-v2-ssl", true],
  ["send-proxy-v2-ssl-cn", true],
  ["send-proxy-v2 proxy-v2-options crc32c,authority,ssl,cert-cn,cert-key,cert-sig,ssl-cipher", true],
];
const TRUST = { forwardedAllowIps: ["127.0.0.1"] };
const FORGED = ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-Proto: gopher", "X_Forwarded_For: 6.6.6.6"];

let made: Certificates;
let pair: Pair;
let client: Pair;
let both: string;
beforeAll(() => {
  made = new Certificates();
  pair = made.signed("site", { names: ["DNS:localhost"] });
  client = made.signed("client");
  both = made.path("both.pem");
  writeFileSync(both, readFileSync(pair.cert, "utf8") + readFileSync(pair.key, "utf8"));
});
afterAll(() => made.remove());

/** What the application sees of a request; `with` a certificate of the client, or none, over TLS. */
async function facts(port: number, how: "clear" | "tls" | "certificate"): Promise<Facts> {
  const known = how === "certificate" ? { cert: readFileSync(client.cert), key: readFileSync(client.key) } : {};
  const where = { port, host: "127.0.0.1" };
  const socket: Socket = how === "clear"
    ? connect(where)
    : connectTls({ ...where, servername: "localhost", rejectUnauthorized: false, ...known });
  socket.write(["GET / HTTP/1.1", "Host: a", "Connection: close", ...FORGED, "", ""].join("\r\n"));
  let text = "";
  socket.setEncoding("latin1").on("data", (part) => text += part);
  await new Promise((resolve, reject) => socket.on("close", resolve).on("error", reject));
  return JSON.parse(/\{.*\}/.exec(text)?.[0] ?? JSON.stringify({ text })) as Facts;
}

/** The status of each server by haproxy's checks: `UP`, when it has checked. */
async function states(directory: string): Promise<string[]> {
  const socket = connect(join(directory, "stats.sock"));
  let text = "";
  socket.setEncoding("latin1").on("data", (part) => text += part);
  socket.write("show stat\n");
  await new Promise((resolve) => socket.on("close", resolve));
  const [names = [], ...rows] = text.split("\n").map((line) => line.split(","));
  const [status, check] = [names.indexOf("status"), names.indexOf("check_status")];
  return rows.filter((row) => row[1] === "one").map((row) => `${row[status]} ${row[check]}`);
}

describe.each<Runtime>(["node", "deno", "bun"])("%s", (runtime) => {
  // In CI a missing haproxy is a failure: the test then runs, and says so.
  it.skipIf(find("haproxy") === null && process.env["CI"] !== "true")(
    "18.2 18.3 behind haproxy, by fields and by each prefix of the PROXY protocol, with checks",
    async () => {
      const path = join(tmpdir(), `tsgi-haproxy-${process.pid}-${runtime}.sock`);
      const listen = [
        { port: 0, ...TRUST },
        { port: 0, proxyProtocol: true },
        { path, proxyProtocol: true },
        { port: 0, proxyProtocol: true, tls: pair },
      ];
      const env = { TSGI_SERVE: JSON.stringify({ listen }) };
      const server = await ServerProcess.start(runtime, "tests/forwarded/main.ts", /^listens (.*)$/m, {
        flags: ["-A"],
        env,
      });
      onTestFinished(() => server.stop());
      const addresses = JSON.parse(server.ready[1] as string) as Address[];
      const [plain, relayed, , secure] = addresses.map((one) => one.transport === "tcp" ? one.port : 0);
      const ways = PREFIXES.flatMap(([words, saysTls]) => [
        { to: `127.0.0.1:${relayed} ${words}`, saysTls },
        { to: `unix@${path} ${words}`, saysTls },
        { to: `127.0.0.1:${secure} ${words} ssl verify none check-ssl`, saysTls: true },
      ]);
      /** The part of the config for a way: a port in clear, and one with TLS. */
      const listens = (to: string, name: string, clear = 0, tls = 0): string =>
        `listen ${name}
  mode tcp
  bind 127.0.0.1:${clear}
  bind 127.0.0.1:${tls} ssl crt ${both} ca-file ${made.ca} verify optional
  server one ${to} check
`;
      const front = await Instance.start({
        name: "haproxy",
        ports: 3 + 2 * ways.length,
        errorLog: "error.log",
        prepare: (directory, [clear, tls, tcp, ...ports]) => {
          const config = substituted(block("http.md", "haproxy"), {
            "bind :80\n": `bind 127.0.0.1:${clear}\n`,
            "bind :443": `bind 127.0.0.1:${tls}`,
            "bind :8443": `bind 127.0.0.1:${tcp}`,
            "127.0.0.1:8000": `127.0.0.1:${plain}`,
            "127.0.0.1:8001": `127.0.0.1:${relayed}`,
            "/etc/haproxy/site.pem": both,
          });
          // A machine under load answers checks late. haproxy waits for the time between two of them.
          const patient = config.replace(
            /^ {2}timeout connect .*$/m,
            "  timeout connect 20s\n  default-server inter 20s",
          );
          const more = ways.map(({ to }, i) => listens(to, `way${i}`, ports[2 * i], ports[2 * i + 1]));
          return haproxy(directory, patient + more.join(""));
        },
      });
      onTestFinished(() => front.stop());

      const [clear, tls, tcp, ...ports] = front.ports as [number, number, number, ...number[]];
      const peer = { address: "127.0.0.1", port: expect.any(String) };
      const http = { REMOTE_ADDR: "127.0.0.1", "wsgi.url_scheme": "http", HTTP_HOST: "a", "tsgi.peer": peer };
      expect(await facts(clear, "clear")).toMatchObject(http);
      expect(await facts(tls, "tls")).toMatchObject({ ...http, "wsgi.url_scheme": "https", HTTPS: "on" });
      const ended = { REMOTE_ADDR: "127.0.0.1", SERVER_PORT: String(tcp), "wsgi.url_scheme": "https", HTTPS: "on" };
      expect(await facts(tcp, "tls")).toMatchObject(ended);

      for (const [i, { to, saysTls }] of ways.entries()) {
        const scheme = to.includes(" ssl ") ? "https" : "http";
        for (
          const [port, how, expected] of [
            [ports[2 * i], "clear", scheme],
            [ports[2 * i + 1], "tls", saysTls ? "https" : scheme],
            [ports[2 * i + 1], "certificate", saysTls ? "https" : scheme],
          ] as const
        ) {
          const seen = await facts(port as number, how);
          const wanted = { REMOTE_ADDR: "127.0.0.1", SERVER_PORT: String(port), "wsgi.url_scheme": expected };
          expect({ to, how, ...seen }).toMatchObject({ to, how, ...wanted });
        }
      }

      const isUp = (state: string): boolean => /^UP L[67]OK$|^UP L4OK$/.test(state);
      let last: string[] = [];
      await until(
        "every server to be up",
        async () => (last = await states(front.directory)).length === ways.length + 2 && last.every(isUp),
        15_000,
        () => last.join("\n"),
      );
      expect(server.stderr).toBe(""); // a check is no failure
    },
    60_000,
  );
});
