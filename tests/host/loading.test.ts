/**
 * What a program that serves loads: all modules of it by name, so that no host loads what another needs, and of the
 * runtime's own modules only those without which nothing can listen.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { loadedModules } from "../loaded_modules.ts";
import { Certificates, type Pair } from "../tls/certificates.ts";
import { entryPoints, readManifest } from "../../scripts/package/manifest.ts";
import { projectPath, type Runtime } from "../server_process.ts";

const CGI = {
  GATEWAY_INTERFACE: "CGI/1.1",
  REQUEST_METHOD: "GET",
  SCRIPT_NAME: "/script",
  SERVER_NAME: "www.test",
  SERVER_PORT: "80",
  SERVER_PROTOCOL: "HTTP/1.1",
};

const folder = mkdtempSync(join(tmpdir(), "tsgi-loading-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A certificate, made for the test. */
function pair(): Pair {
  const made = new Certificates();
  onTestFinished(() => made.remove());
  return made.signed("site");
}

/** Names with what stands before and behind them. */
const all = (before: string, names: string): string[] => names.split(" ").map((name) => `${before}${name}.ts`);

const GATEWAY = [
  ...all("core/", "errors grammar ip_address refusal version"),
  ...all("core/server/", "option_table options peer_policy"),
  ...all(
    "core/contract/",
    "application environ error_stream file_wrapper final_fields input_stream tsgi_request request_body response_head upgraded_socket",
  ),
  ...all("core/gateway/", "departure gateway invocation pump response_body"),
];
const LIFECYCLE = all(
  "core/lifecycle/",
  "body_decoder connection progress request states transport_writer",
);
const SOCKETS = [
  ...LIFECYCLE,
  ...all("core/", "server/connections server/server server/server_listener wires/load wires/raw_socket"),
  ...all("adapters/", "environment latin1 batched_transport peer"),
];
const HTTP = all(
  "core/wires/http1/",
  "chunked_decoder connection exchange fields head_bytes head_models head_parser request_head serializer target",
);
const NODE = all("adapters/", "node node_socket stderr");
const DENO = all("adapters/", "deno promised_socket stderr");
const BUN = all("adapters/", "bun bun_socket stderr");
const FASTCGI = [
  ...all("core/wires/cgi/", "environ response variables"),
  ...all("core/wires/fastcgi/", "connection management pairs records request writer"),
];
const SCGI = [
  ...all("core/wires/cgi/", "connection environ response variables"),
  "core/wires/scgi/connection.ts",
];
const UWSGI = [
  ...all("core/wires/cgi/", "connection environ http_format variables"),
  "core/wires/uwsgi/connection.ts",
  "core/wires/http1/serializer.ts",
];
const SCRIPT = [
  ...LIFECYCLE,
  "core/server/script.ts",
  ...all("core/wires/cgi/", "connection environ response variables"),
  ...all("adapters/", "cgi cgi_process environment batched_transport peer promised_socket"),
];
const SCRIPT_NODE = all("adapters/", "cgi_node latin1");
const TLS = [
  ...all("core/server/", "distinguished_name stage tls tls_options"),
  ...all("adapters/", "tls tls_files tls_trust"),
];
const MOD = "mod.ts";
const FACE = [MOD, "mod_shared.ts"];

interface Case {
  readonly name: string;
  readonly runtime: Runtime;
  readonly entry?: string;
  readonly options?: object;
  readonly env?: Readonly<Record<string, string>>;
  readonly modules: readonly string[];
  /** Those of the runtime that are imported before it listens. */
  readonly builtins: readonly string[];
}

const NET = ["node:net"];
const FS = ["node:buffer", "node:fs", "node:process"];
const server = [...FACE, ...GATEWAY, ...SOCKETS];

const cases: readonly Case[] = [
  { name: "HTTP", runtime: "node", modules: [...server, ...HTTP, ...NODE], builtins: NET },
  { name: "HTTP", runtime: "deno", modules: [...server, ...HTTP, ...DENO], builtins: [] },
  { name: "HTTP", runtime: "bun", modules: [...server, ...HTTP, ...BUN], builtins: [] },
  {
    name: "HTTP, tsgi/node",
    runtime: "node",
    entry: "adapters/node.ts",
    modules: [...GATEWAY, ...SOCKETS, ...HTTP, ...NODE],
    builtins: NET,
  },
  {
    name: "HTTP, tsgi/deno",
    runtime: "deno",
    entry: "adapters/deno.ts",
    modules: [...GATEWAY, ...SOCKETS, ...HTTP, ...DENO],
    builtins: [],
  },
  {
    name: "HTTP, tsgi/bun",
    runtime: "bun",
    entry: "adapters/bun.ts",
    modules: [...GATEWAY, ...SOCKETS, ...HTTP, ...BUN],
    builtins: [],
  },
  {
    name: "HTTP at a Unix socket",
    runtime: "node",
    options: { path: join(folder, "socket") },
    modules: [...server, ...HTTP, ...NODE, ...all("adapters/", "placed_file unix_path")],
    builtins: ["node:fs", "node:net", "node:path"],
  },
  {
    name: "HTTP behind the PROXY protocol",
    runtime: "node",
    options: { port: 0, proxyProtocol: true },
    modules: [...server, ...HTTP, ...NODE, ...all("core/server/", "proxy_protocol stage")],
    builtins: NET,
  },
  {
    name: "HTTP behind a trusted proxy (18.3)",
    runtime: "node",
    options: { port: 0, forwardedAllowIps: ["127.0.0.1"] },
    modules: [...server, ...HTTP, ...NODE, ...all("core/server/", "forwarded forwarded_fields")],
    builtins: NET,
  },
  {
    name: "HTTP over TLS",
    runtime: "node",
    options: { port: 0, tls: "made" },
    modules: [...server, ...HTTP, ...NODE, ...TLS],
    builtins: ["node:crypto", "node:fs/promises", "node:net", "node:timers", "node:tls"],
  },
  {
    name: "HTTP over TLS",
    runtime: "deno",
    options: { port: 0, tls: "made" },
    modules: [...server, ...HTTP, ...DENO, ...NODE, ...TLS],
    builtins: ["node:crypto", "node:fs/promises", "node:net", "node:timers", "node:tls"],
  },
  {
    name: "FastCGI",
    runtime: "node",
    options: { port: 0, protocol: "fastcgi" },
    modules: [...server, ...FASTCGI, ...NODE],
    builtins: NET,
  },
  {
    name: "FastCGI",
    runtime: "deno",
    options: { port: 0, protocol: "fastcgi" },
    modules: [...server, ...FASTCGI, ...DENO],
    builtins: [],
  },
  {
    name: "SCGI",
    runtime: "bun",
    options: { port: 0, protocol: "scgi" },
    modules: [...server, ...SCGI, ...BUN],
    builtins: [],
  },
  {
    name: "SCGI, over node:net, which can reset connections",
    runtime: "deno",
    options: { port: 0, protocol: "scgi" },
    modules: [...server, ...SCGI, ...NODE],
    builtins: NET,
  },
  {
    name: "uwsgi",
    runtime: "node",
    options: { port: 0, protocol: "uwsgi" },
    modules: [...server, ...UWSGI, ...NODE],
    builtins: NET,
  },
  { name: "CGI", runtime: "node", env: CGI, modules: [...FACE, ...GATEWAY, ...SCRIPT, ...SCRIPT_NODE], builtins: FS },
  {
    name: "CGI",
    runtime: "deno",
    env: CGI,
    modules: [...FACE, ...GATEWAY, ...SCRIPT, "adapters/cgi_deno.ts"],
    builtins: [],
  },
  { name: "CGI", runtime: "bun", env: CGI, modules: [...FACE, ...GATEWAY, ...SCRIPT, ...SCRIPT_NODE], builtins: FS },
];

/** What the modules of a package import of the runtime's own, before they are told to. */
function builtinsOf(root: string, modules: readonly string[]): string[] {
  const found = modules.flatMap((path) =>
    [...readFileSync(join(root, path), "utf8").matchAll(/^import\s(?!type\b)[^;]*?"(\w+:[^"]+)";/gm)].map((match) =>
      match[1] as string
    )
  );
  return [...new Set(found)].toSorted();
}

function load(runtime: Runtime, root: string, entry: string, options: object, env = {}): Promise<string[]> {
  const args = [pathToFileURL(join(root, entry)).href, JSON.stringify(options)];
  return loadedModules(runtime, root, { path: projectPath("tests/host/loading.ts"), args, env });
}

it.each(cases)("the sources: $name on $runtime", async ({ runtime, entry = MOD, options, env, modules, builtins }) => {
  const root = projectPath("");
  const given = options !== undefined && "tls" in options ? { ...options, tls: pair() } : options ?? { port: 0 };
  const loaded = await load(runtime, root, entry, given, env);
  const ours = loaded.filter((path) => !path.startsWith("tests/"));
  expect(ours).toEqual([...new Set(modules)].toSorted());
  expect(builtinsOf(root, ours)).toEqual(builtins);
});

describe("the built package", () => {
  const dist = join(folder, "node_modules", "tsgi");

  beforeAll(() => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [projectPath("scripts/build_npm.ts"), dist]);
    if (status !== 0) throw new Error(`${stdout}${stderr}`);
    writeFileSync(join(folder, "package.json"), `{ "type": "module" }\n`);
  });

  const files: [name: string, runtime: Runtime, options: object, env: object, files: string[]][] = [
    ["HTTP", "node", { port: 0 }, {}, ["core", "http1", "node", "serializer", "server"]],
    ["HTTP", "deno", { port: 0 }, {}, ["adapters/deno", "core", "http1", "promised_socket", "serializer", "server"]],
    ["HTTP", "bun", { port: 0 }, {}, ["adapters/bun", "core", "http1", "serializer", "server"]],
    ["FastCGI", "node", { port: 0, protocol: "fastcgi" }, {}, ["cgi", "core", "fastcgi", "node", "server"]],
    ["SCGI", "node", { port: 0, protocol: "scgi" }, {}, ["cgi", "core", "node", "scgi", "server"]],
    ["CGI", "node", {}, CGI, ["adapters/cgi", "cgi", "cgi_node", "cgi_process", "core", "promised_socket"]],
    ["CGI", "deno", {}, CGI, ["adapters/cgi", "cgi", "cgi_deno", "cgi_process", "core", "promised_socket"]],
  ];

  it.each(files)("%s on %s", async (_name, runtime, options, env, expected) => {
    const paths = expected.map((name) => name.includes("/") ? `${name}.js` : `internal/${name}.js`);
    expect(await load(runtime, dist, "mod.js", options, env)).toEqual([...paths, "mod.js"]);
  });

  it("the file that all hosts share leads to no module of a runtime", () => {
    expect(builtinsOf(dist, ["mod.js", "internal/core.js", "internal/server.js", "internal/http1.js"])).toEqual([]);
    expect(readFileSync(join(dist, "internal/core.js"), "utf8")).not.toMatch(/\bimport\(/);
  });

  it("has the exports of the sources, and one class for all entry points", async () => {
    for (const path of entryPoints(readManifest()).values()) {
      const names = async (url: URL): Promise<string[]> => Object.keys(await import(url.href)).toSorted();
      const built = pathToFileURL(join(dist, path.replace(/\.ts$/, ".js")));
      expect([path, await names(built)]).toEqual([path, await names(pathToFileURL(projectPath(path)))]);
    }
    const face = await import(pathToFileURL(join(dist, "mod.js")).href);
    const pinned = await import(pathToFileURL(join(dist, "adapters/node.js")).href);
    await expect(pinned.serve(() => [], { port: -1 })).rejects.toBeInstanceOf(face.OptionError);
    await expect(pinned.serve(3, { port: 0 })).rejects.toBeInstanceOf(face.ApplicationError);
  });

  it("has a declaration for each entry point, and no file of the compiler that nobody loads", () => {
    const scripts = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js"));
    for (const path of entryPoints(readManifest()).values()) {
      expect(readFileSync(join(dist, path.replace(/\.ts$/, ".d.ts")), "utf8")).not.toBe("");
    }
    const text = scripts.map((name) => readFileSync(join(dist, name), "utf8")).join("\n");
    const unused = scripts.filter((name) =>
      name.startsWith("internal/") && !text.includes(`/${name.split("/").at(-1)}"`)
    );
    expect(unused).toEqual([]);
  });
});
