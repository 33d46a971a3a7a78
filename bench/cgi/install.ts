/**
 * Installs the scripts: application, package, runtimes and caches, in a folder that the web server's user can read.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, linkSync, mkdirSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { projectPath, runCommand, type Runtime } from "../../tests/server_process.ts";
import { HELLO } from "../workloads.ts";
import type { Variant } from "./variants.ts";

const APPLICATION = `(environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "text/plain"], ["Content-Length", "${HELLO.length}"]]);
  return [${JSON.stringify(HELLO)}];
}`;
const PYTHON = `
from wsgiref.handlers import CGIHandler

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "${HELLO.length}")])
    return [${JSON.stringify(HELLO).replace(/^/, "b")}]

CGIHandler().run(app)
`;

/** Writes the response without tsgi. */
const WRITTEN = JSON.stringify(
  `Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${HELLO.length}\r\n\r\n${HELLO}`,
);

/** The source of a script that imports `serve` from `from`. It has no top-level await, so that it can be CommonJS. */
function program(from: string): string {
  return `import { serve } from ${JSON.stringify(from)};\nvoid serve(${APPLICATION});\n`;
}

function ran(what: string, command: string, args: readonly string[], cwd: string): void {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${what}: ${error?.message ?? ""}\n${stdout}${stderr}`);
}

/** Installs in `root` what all scripts share: the runtimes in bin, the built package, and the sources. */
export function installShared(root: string, runtimes: readonly Runtime[]): void {
  mkdirSync(join(root, "bin"));
  for (const runtime of runtimes) {
    const binary = realpathSync(runCommand(runtime, "").binary);
    try {
      linkSync(binary, join(root, "bin", runtime));
    } catch {
      copyFileSync(binary, join(root, "bin", runtime)); // another file system
    }
  }
  mkdirSync(join(root, "app"));
  const dist = join(root, "app/node_modules/tsgi");
  ran("the package", process.execPath, [projectPath("scripts/build_npm.ts"), dist], root);
  writeFileSync(join(root, "app/package.json"), `{ "type": "module" }\n`);
  for (const part of ["mod.ts", "mod_shared.ts", "core", "adapters"]) {
    cpSync(projectPath(part), join(root, "app/sources", part), { recursive: true });
  }
  writeFileSync(join(root, "app/package.ts"), program("tsgi"));
}

/** Bundles application and package into one file. */
function bundled(root: string, to: string, flags: readonly string[]): void {
  const bun = runCommand("bun", "").binary;
  ran("bun build", bun, ["build", "package.ts", `--outdir=${to}`, ...flags], join(root, "app"));
}

/** Makes the folder of a variant and returns the path of its script. */
export function installVariant(root: string, { runtime, packaging, cache, shebang }: Variant, index: number): string {
  const folder = join(root, "app", `v${index}`);
  const kept = join(root, `cache${index}`);
  mkdirSync(folder);
  mkdirSync(kept);
  if (cache !== "none") chmodSync(kept, 0o777);
  const first = shebang.replace("$CACHE", kept);
  const write = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, `${first}\n${text}`, { mode: 0o755 });
    return path;
  };
  if (runtime === null) return write("script.py", PYTHON);
  switch (packaging) {
    case "sources":
      return write("script.ts", program("../sources/mod.ts"));
    case "nothing":
      return write("script.mjs", `Deno.stdout.writeSync(new TextEncoder().encode(${WRITTEN}));\n`);
    case "nothing, node:fs":
      return runtime === "node"
        ? write("script.cjs", `require("node:fs").writeSync(1, ${WRITTEN});\n`)
        : write("script.mjs", `import { writeSync } from "node:fs";\nwriteSync(1, ${WRITTEN});\n`);
    case "package":
      return write("script.js", program("tsgi"));
    case "bytecode": {
      // The code is in package.js.jsc, and belongs to the octets of package.js: the script stays beside it.
      bundled(root, folder, ["--target=bun", "--format=cjs", "--bytecode"]);
      writeFileSync(join(folder, "package.json"), `{ "type": "commonjs" }\n`);
      return write("script.js", `require("./package.js");\n`);
    }
    case "esm file":
    case "cjs file": {
      const esm = packaging === "esm file";
      bundled(root, folder, [`--target=${runtime === "bun" ? "bun" : "node"}`, `--format=${esm ? "esm" : "cjs"}`]);
      return write(esm ? "script.mjs" : "script.cjs", readFileSync(join(folder, "package.js"), "utf8"));
    }
  }
}

/** Makes a filled cache read-only. Its files belong to the web server's user. */
export function closeCache(root: string, index: number): void {
  const close = (path: string): void => {
    if (statSync(path).isDirectory()) {
      for (const name of readdirSync(path)) close(join(path, name));
      chmodSync(path, 0o555);
    } else chmodSync(path, 0o444);
    if (process.getuid?.() === 0) chownToRoot(path);
  };
  close(join(root, `cache${index}`));
}

function chownToRoot(path: string): void {
  ran("chown", "chown", ["root:", path], "/");
}
