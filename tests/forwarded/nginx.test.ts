/**
 * The command behind a real nginx with the documented configuration, in clear and with TLS: the client's address and
 * scheme in the application and in the access log, whatever fields the client sends. Settings that do not fit together
 * are refused before anything starts.
 */

import { chmodSync } from "node:fs";
import { request as plain } from "node:http";
import { request as secure } from "node:https";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ended, runtimes, until, withCommand } from "../cli/command.ts";
import { block, substituted } from "../front/documented.ts";
import { Instance } from "../front/instance.ts";
import { find, nginx } from "../front/programs.ts";
import { Certificates, type Pair } from "../tls/certificates.ts";

const APP = `
  const KEYS = ["REMOTE_ADDR", "REMOTE_PORT", "wsgi.url_scheme", "HTTPS", "HTTP_HOST", "tsgi.peer"];
  export const app = (environ, start) => {
    start("200 OK", [["Content-Type", "application/json"]]);
    return JSON.stringify(Object.fromEntries(KEYS.map((key) => [key, environ[key]])));
  };`;
const files = { "app.mjs": APP };

let made: Certificates;
let pair: Pair;
beforeAll(() => {
  made = new Certificates();
  pair = made.signed("site", { names: ["DNS:localhost", "IP:127.0.0.1"] });
});
afterAll(() => made.remove());

/** What a client that sends these fields gets. */
function get(port: number, tls: boolean, headers: Readonly<Record<string, string>>): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, headers, agent: false };
    const request = tls ? secure({ ...options, rejectUnauthorized: false }) : plain(options);
    request.on("error", reject).on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => text += part);
      response.on("end", () => resolve(response.statusCode === 200 ? JSON.parse(text) : response.statusCode));
    }).end();
  });
}

/** Starts nginx in front of an upstream. It listens in clear at the first port, with TLS at the second. */
function front(upstream: string): Promise<Instance> {
  return Instance.start({
    name: "forwarded",
    ports: 2,
    errorLog: "error.log",
    prepare: (directory, [clear, tls]) =>
      nginx(
        directory,
        substituted(block("http.md", "nginx"), {
          "listen 80;": `listen 127.0.0.1:${clear}; listen 127.0.0.1:${tls} ssl;
            ssl_certificate ${pair.cert}; ssl_certificate_key ${pair.key};`,
          "127.0.0.1:8000": upstream,
        }),
      ),
  });
}

const FORGED = { "X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "gopher", "Forwarded": "for=" };

describe.each(runtimes)("%s", (runtime) => {
  // In CI a missing nginx is a failure: the test then runs, and says so.
  it.skipIf(find("nginx") === null && process.env["CI"] !== "true")(
    "18.3 behind nginx, at a port and at a Unix socket",
    async () => {
      const logs = ["--access-logfile", "-", "--access-logformat", "%(h)s %(U)s"];
      const trust = ["--forwarded-allow-ips", "unix,10.0.0.0/8"];
      const args = ["-b", "127.0.0.1:0", "-b", "unix:a.sock", ...trust, ...logs, "app.mjs"];
      await withCommand(runtime, { args, files }, async (command) => {
        chmodSync(command.folder, 0o755); // nginx connects as another user
        const viaUnix = await front(`unix:${command.path("a.sock")}`);
        const viaTcp = await front(`127.0.0.1:${command.port}`);
        try {
          const [clear = 0, tls = 0] = viaUnix.ports;
          const peer = { address: "", port: "" };
          for (const headers of [{}, FORGED]) {
            expect(await get(clear, false, headers)).toEqual({
              REMOTE_ADDR: "127.0.0.1",
              "wsgi.url_scheme": "http",
              HTTP_HOST: `127.0.0.1:${clear}`,
              "tsgi.peer": peer,
            });
            expect(await get(tls, true, headers)).toMatchObject({
              REMOTE_ADDR: "127.0.0.1",
              "wsgi.url_scheme": "https",
              HTTPS: "on",
              "tsgi.peer": peer,
            });
          }
          await until("the access log", () => command.out.includes("127.0.0.1 /\n"), undefined, () => command.out);
          // This nginx is not trusted: what it says changes nothing.
          const facts = await get(viaTcp.ports[1] as number, true, FORGED);
          expect(facts).toMatchObject({ REMOTE_ADDR: "127.0.0.1", "wsgi.url_scheme": "http" });
          expect(facts).not.toHaveProperty("tsgi.peer");
        } finally {
          await Promise.all([viaUnix.stop(), viaTcp.stop()]);
        }
      });
    },
    30_000,
  );

  it("18.3 the command refuses settings that do not fit together", async () => {
    const cases: readonly (readonly [args: readonly string[], message: RegExp])[] = [
      [["--forwarded-allow-ips", "10.0.0"], /--forwarded-allow-ips: expected addresses, networks and "unix", or "\*"/],
      [["--forwarded-headers", "X-Real-IP"], /--forwarded-headers: expected one of X-Forwarded-For/],
      [["--forwarded-headers", "forwarded"], /--forwarded-headers: expected --forwarded-allow-ips beside it/],
      [["--forwarded-allow-ips", "*", "--protocol", "scgi"], /--forwarded-allow-ips: expected --protocol http/],
      [["--forwarded-allow-ips", "*", "--header-map", "dangerous"], /--header-map: expected drop or refuse beside/],
    ];
    for (const [args, message] of runtime === "node" ? cases : cases.slice(-1)) {
      const { code, err } = await ended(runtime, { args: [...args, "app.mjs"], files });
      expect(err).toMatch(message);
      expect(code).not.toBe(0);
    }
  }, 30_000);
});
