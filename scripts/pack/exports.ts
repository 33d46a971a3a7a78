/**
 * Checks the package's modules on their hosts. Each runtime imports them all, serves with those that can, and answers
 * as a CGI script. A bundle for a host without sockets must contain no module of a runtime.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { entryPoints, readManifest } from "../package/manifest.ts";
import { type Host, hostOf, hosts, newestNode } from "./hosts.ts";
import { bunConsumer, consumer } from "./package.ts";
import { run } from "./process.ts";

const APP = `
export const app = (environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return ["hello ", environ.PATH_INFO];
};
export const expect = (actual, expected) => {
  if (actual !== expected) throw new Error("Expected " + expected + ", got " + actual);
};
`;

/** A program that imports the given modules, serves one request with each serving one, and calls the others once. */
const USE = `
import process from "node:process";
import { client } from "tsgi/testing";
import { toFetch } from "tsgi/fetch";
import { validator } from "tsgi/wsgiref/validate";
import { app, expect } from "./app.mjs";

const [all, servers] = process.argv.slice(-2).map((list) => list.split(","));
for (const name of all) expect(Object.keys(await import(name)).length > 0, true);
for (const name of servers) {
  const { serve } = await import(name);
  const server = await serve(app, { hostname: "127.0.0.1", port: 0, onListen: () => {} });
  const response = await fetch("http://127.0.0.1:" + server.address.port + "/there", { headers: { connection: "close" } });
  expect(response.status + " " + await response.text(), "200 hello /there");
  await server.shutdown();
}
expect(await (await toFetch(app)(new Request("http://localhost/fetch"))).text(), "hello /fetch");
expect(await (await client(validator(app)).get("/client")).text(), "hello /client");
console.log("used");
`;

const SCRIPT = `
import { serve } from "tsgi";
import { app } from "./app.mjs";
await serve(app);
`;

/** An error that is no named mistake of a program: its trace has frames of the package. */
const TRACE = `
import { client } from "tsgi/testing";
const app = (environ) => environ["tsgi.request"].waitUntil("no promise");
await client(app, { errorLog: (text) => console.log(text) }).get("/");
`;

/** A program for both Workers and servers. The bundler keeps imports of Node's modules, so the bundle shows them. */
const WORKER = `
import { isMain, serve, toFetch } from "tsgi";
import { app } from "./app.mjs";
if (isMain(import.meta)) await serve(app);
export const refusal = await serve(app).catch((error) => error.code);
export default { fetch: toFetch(app) };
`;

const CALL_WORKER = `
import worker, { refusal } from "./bundle.mjs";
import { expect } from "./app.mjs";
expect(refusal, "ENOTSUP");
expect(await (await worker.fetch(new Request("http://localhost/bundled"))).text(), "hello /bundled");
console.log("used");
`;

const FILES = {
  "app.mjs": APP,
  "use.mjs": USE,
  "script.mjs": SCRIPT,
  "trace.mjs": TRACE,
  "worker.mjs": WORKER,
  "call_worker.mjs": CALL_WORKER,
};

const CGI = {
  GATEWAY_INTERFACE: "CGI/1.1",
  REQUEST_METHOD: "GET",
  SCRIPT_NAME: "",
  PATH_INFO: "/cgi",
  QUERY_STRING: "",
  SERVER_NAME: "localhost",
  SERVER_PORT: "80",
  SERVER_PROTOCOL: "HTTP/1.1",
};

/** Uses all modules on every runtime. */
export async function exportsOnHosts(): Promise<void> {
  const folder = await consumer("exports", FILES);
  const bunFolder = await bunConsumer("exports-bun", FILES);
  await Promise.all([
    ...hosts.map(async (host) => {
      await use(host, folder);
      const script = await run({ binary: host.binary, args: host.run("script.mjs"), cwd: folder, env: CGI });
      contains(`CGI on ${host.name}`, script, "hello /cgi");
    }),
    use(hostOf("bun"), bunFolder),
    // The conditions deno and bun come before workerd, so these runtimes keep their own files even with --conditions.
    ...["deno", "bun"].map((runtime) => use(hostOf(runtime), folder, ["--conditions=workerd"])),
  ]);
}

async function use(host: Host, cwd: string, flags: readonly string[] = []): Promise<void> {
  const all = [...entryPoints(readManifest()).keys()].map((name) => `tsgi${name.slice(1)}`);
  const servers = ["tsgi", "tsgi/node", `tsgi/${host.runtime}`];
  const args = [...host.run("use.mjs", flags), all.join(","), servers.join(",")];
  const out = await run({ binary: host.binary, args, cwd });
  contains(`modules on ${host.name}`, out, "used");
}

/** Checks that a stack trace points to the sources. */
export async function traces(): Promise<void> {
  const folder = await consumer("traces", FILES);
  const out = await run({ binary: newestNode.binary, args: ["--enable-source-maps", "trace.mjs"], cwd: folder });
  if (!/tsgi[\\/]src[\\/]core[\\/]contract[\\/]tsgi_request\.ts:\d+/.test(out)) {
    throw new Error(`No source in the trace:\n${out}`);
  }
}

/** Checks that a bundle for Workers contains no module of Node, Deno or Bun, and answers. */
export async function workers(): Promise<void> {
  const folder = await consumer("workers", FILES);
  const args = [
    "build",
    "worker.mjs",
    "--target=node",
    "--conditions=workerd",
    "--outfile=bundle.mjs",
  ];
  await run({ binary: hostOf("bun").binary, args, cwd: folder });
  const found = readFileSync(join(folder, "bundle.mjs"), "utf8").match(
    /\b(?:from|import)[ (]*"[^"]+"|\bDeno\.listen\b/g,
  );
  if (found !== null) throw new Error(`In the bundle for Workers: ${found.join(", ")}`);
  const out = await run({ binary: newestNode.binary, args: ["call_worker.mjs"], cwd: folder });
  contains("the bundle for Workers", out, "used");
}

function contains(what: string, text: string, part: string): void {
  if (!text.includes(part)) {
    throw new Error(`Expected ${JSON.stringify(part)} from ${what}, got ${JSON.stringify(text)}`);
  }
}
