/**
 * Everything about a release that can be checked without publishing it: `npm run release:check`.
 *
 * `--tag v1.2.3` also compares the version with a tag; `--tested` leaves out the gate, for a workflow that has run it on
 * other machines.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { readManifest, root } from "./package/manifest.ts";

/** The checks that need the registries or other systems, so that they cannot run here. */
const ONLINE = [
  "the workflow test.yml: macOS, Windows and node 22 to 26; there npm run build:dnt takes the real dnt, and",
  "  npm run test:deno:jsr the real jsr:@std/assert",
  "the workflow release.yml, by pushing a tag: npm publish ./dist --provenance, and deno publish",
  "after it, in an empty folder: npx tsgi --version, bunx --bun tsgi --version, deno run -A npm:tsgi --version,",
  "  deno run -A jsr:@tsgi/tsgi/cli --version, and README's app.ts",
];

const { values } = parseArgs({ options: { tag: { type: "string" }, tested: { type: "boolean", default: false } } });
const { version } = readManifest();
const problems: string[] = [];

if (values.tag !== undefined && values.tag !== `v${version}`) {
  problems.push(`The tag is ${values.tag}, package.json has ${version}`);
}
const hasNotes = readFileSync(join(root, "CHANGELOG.md"), "utf8").includes(`\n## [${version}]`);
if (values.tag !== undefined && !hasNotes) problems.push(`CHANGELOG.md has no section for ${version}`);

const vitest = ["node_modules/vitest/vitest.mjs", "run", "tests/package.test.ts", "tests/build.test.ts"];
const steps: readonly (readonly [name: string, args: readonly string[]])[] = [
  ...(values.tested ? [["the manifests and the build", vitest] as const] : [["the gate", npm("run", "ok")] as const]),
  ["the package", npm("run", "pack:check")],
  ["the build", npm("run", "build")],
  ["npm publish", npm("publish", "./dist", "--dry-run", "--access", "public")],
];
for (const [name, args] of steps) {
  if (problems.length > 0) break;
  console.log(`release:check ${name}`);
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) problems.push(`${name}: failed`);
}

for (const problem of problems) console.error(`release:check: ${problem}`);
if (problems.length > 0) process.exit(1);
console.log(`\nrelease:check: ${version} has passed all that can be run here.`);
if (!hasNotes) console.log(`CHANGELOG.md has no section for ${version} yet: a tag needs one.`);
console.log(`To run online:\n${ONLINE.map((line) => line.startsWith(" ") ? line : `- ${line}`).join("\n")}`);

/** The program and arguments that run npm: the npm that runs this script. */
function npm(...args: readonly string[]): string[] {
  const path = process.env["npm_execpath"];
  if (path === undefined) throw new Error("Start this as npm run release:check");
  return [path, ...args];
}
