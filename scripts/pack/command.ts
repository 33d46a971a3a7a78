/**
 * Checks the `tsgi` command as installed by the package: npx, bunx and Deno find it, and it runs two workers and
 * replaces them after SIGHUP. This needs a check of its own, because its processes start each other, and under
 * node_modules their paths differ from those in a checkout.
 *
 * @module
 */

import process from "node:process";
import { readManifest } from "../package/manifest.ts";
import { hostOf, hosts } from "./hosts.ts";
import { withModuleServer } from "./module_server.ts";
import { consumer, emptyFolder } from "./package.ts";
import { type Command, run, Running, shellOf } from "./process.ts";

/**
 * The application. Its answer includes the permissions of the process: workers must have those of the command, no more.
 */
const FILES = {
  "app.ts": `
import type { Environ, StartResponse } from "tsgi";

interface Globals {
  readonly Deno?: { readonly permissions: { querySync(descriptor: { name: string }): { state: string } } };
}

const { Deno } = globalThis as Globals;

export function app(environ: Environ, startResponse: StartResponse): string[] {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return [\`\${environ.PATH_INFO} \${environ["wsgi.multiprocess"]} \${Deno?.permissions.querySync({ name: "ffi" }).state}\`];
}
`,
};

/** A way to start the command. */
interface Way extends Omit<Command, "cwd"> {
  readonly name: string;
  /** The runtime that it must report. */
  readonly runtime: string;
  /** Whether a worker may call native code. */
  readonly ffi: "granted" | "prompt" | "undefined";
}

/** The permissions that a server under Deno needs. */
const PERMISSIONS = ["net", "read", "write", "env", "run", "sys"].map((name) => `--allow-${name}`);

const deno = hostOf("deno").binary;

const ways: readonly Way[] = [
  ...hosts.filter(({ runtime }) => runtime === "node").map(({ name, binary }) => ({
    name: `npx tsgi (${name})`,
    runtime: name,
    ffi: "undefined" as const,
    binary: "npx",
    args: ["--no-install", "tsgi"],
    env: { PATH: shellOf(binary)["PATH"] as string },
  })),
  { name: "bunx", runtime: "bun", ffi: "undefined", binary: hostOf("bun").binary, args: ["x", "--bun", "tsgi"] },
  { name: "deno run npm:tsgi", runtime: "deno", ffi: "granted", binary: deno, args: ["run", "-A", "npm:tsgi"] },
  ...["npm:tsgi", "node_modules/.bin/tsgi"].map((program) => ({
    name: `deno run with permissions ${program}`,
    runtime: "deno",
    ffi: "prompt" as const,
    binary: deno,
    args: ["run", "--no-prompt", ...PERMISSIONS, program],
  })),
];

/** Serves in each way. */
export async function command(): Promise<void> {
  if (process.platform === "win32") return; // the command needs descriptors that are shared between processes
  const folder = await consumer("command", FILES);
  await withModuleServer(async (origin) => {
    const args = [
      "run",
      "--no-prompt",
      "--no-lock",
      "--quiet",
      ...PERMISSIONS,
      `--allow-import=${new URL(origin).host}`,
    ];
    const fromJsr: Way = {
      name: "deno run with an address",
      runtime: "deno",
      ffi: "prompt",
      binary: deno,
      args: [...args, `${origin}/cli/main.ts`],
      env: { DENO_DIR: emptyFolder("deno") }, // otherwise the modules would stay in the user's cache
    };
    await serveInEach([...ways, fromJsr], folder);
  });
}

async function serveInEach(all: readonly Way[], folder: string): Promise<void> {
  for (const way of all) {
    const version = await run({ ...way, args: [...way.args, "--version"], cwd: folder });
    if (!version.startsWith(`tsgi ${readManifest().version} (${way.runtime}`)) {
      throw new Error(`${way.name} --version: ${version}`);
    }
    await serve(way, folder);
  }
}

async function serve(way: Way, cwd: string): Promise<void> {
  const server = new Running({ ...way, args: [...way.args, "-w", "2", "-b", "127.0.0.1:0", "app.ts:app"], cwd });
  try {
    const arbiter = Number((await server.says(/\[(\d+)\] \[INFO\] Starting tsgi/))[1]);
    const [, origin] = await server.says(/Listening at: (http:\S+)/);
    for (const generation of [1, 2]) {
      await server.says(/All workers are ready \(2\)/, generation);
      const response = await fetch(`${origin}/there`, { headers: { connection: "close" } });
      const answer = await response.text();
      if (answer !== `/there true ${way.ffi}`) throw server.failure(`answered ${answer}`);
      if (generation === 1) server.signal("SIGHUP", arbiter);
    }
    await server.says(/Worker exited/, 2); // those of the first generation
    server.signal("SIGTERM", arbiter);
    await server.says(/Shutting down: done/);
    const code = await server.exit();
    if (code !== 0) throw server.failure(`ended with ${code}`);
  } finally {
    server.kill();
  }
}
