/**
 * Checks the package as a user gets it: builds and packs it, installs the tarball into an empty folder, compiles a
 * program against its declarations, and serves one request from it on each runtime.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const bin = join(root, "node_modules", ".bin");

/** Serves one request and stops. Exits with an error when the answer is not the application's. */
const PROGRAM = `
import { serve } from "tsgi";

const app = (environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return ["hello ", environ.PATH_INFO];
};
const server = await serve(app, { hostname: "127.0.0.1", port: 0 });
const response = await fetch(\`http://127.0.0.1:\${server.address.port}/there\`);
const answer = \`\${response.status} \${await response.text()}\`;
await server.shutdown();
if (answer !== "200 hello /there") throw new Error("Expected 200 hello /there, got " + answer);
console.log("served: " + answer);
`;

/** Uses the declarations with no type packages installed, as a consumer without @types/node would. */
const CONSUMER = `
import { type Application, serve } from "tsgi";

export const app: Application = (environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return [environ.PATH_INFO];
};
export const stop = async (): Promise<void> => {
  const server = await serve(app, { port: 0 });
  await server.shutdown();
};
`;

const CONSUMER_OPTIONS = {
  compilerOptions: {
    target: "ES2023",
    lib: ["ES2023", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
    module: "NodeNext",
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    types: [],
    skipLibCheck: false,
  },
  files: ["consumer.ts"],
};

const folder = mkdtempSync(join(tmpdir(), "tsgi-pack-"));
try {
  run("build", root, process.execPath, [join(root, "scripts", "build_npm.ts")]);
  run("pack", join(root, "dist"), "npm", ["pack", "--silent", "--pack-destination", folder]);
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw new Error("npm pack wrote no tarball");

  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  writeFileSync(join(folder, "program.mjs"), PROGRAM);
  writeFileSync(join(folder, "consumer.ts"), CONSUMER);
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(CONSUMER_OPTIONS));
  run("install", folder, "npm", ["install", "--silent", "--prefer-offline", "--no-audit", "--no-fund", `./${tarball}`]);

  run("types", folder, join(bin, "tsc"), ["--project", "tsconfig.json"]);
  run("node", folder, process.execPath, ["program.mjs"]);
  run("deno", folder, join(bin, "deno"), ["run", "--no-lock", "--allow-net", "program.mjs"]);
  run("bun", folder, join(bin, "bun"), ["run", "program.mjs"]);
  run("jsr", root, join(bin, "deno"), ["publish", "--dry-run", "--allow-dirty", "--quiet"]);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Runs one step; a failure ends the check. */
function run(step: string, cwd: string, command: string, args: readonly string[]): void {
  process.stdout.write(`pack:check ${step}\n`);
  const { status, error, signal } = spawnSync(command, args, { cwd, stdio: "inherit", timeout: 120_000 });
  if (error) throw error;
  if (status !== 0) throw new Error(`pack:check ${step} failed with ${signal ?? `exit code ${status}`}`);
}
