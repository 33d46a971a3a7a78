/**
 * Checks the package as a user gets it: builds, packs and installs it into empty folders, and uses it there with every
 * supported runtime and compiler. Needs no network once `npm ci` has run.
 *
 * `npm run pack:check` runs all steps. `npm run pack:check -- types command` runs the named ones and what they need.
 *
 * @module
 */

import { rmSync } from "node:fs";
import process from "node:process";
import { command } from "./pack/command.ts";
import { emptyFolders } from "./pack/empty_folder.ts";
import { exportsOnHosts, traces, workers } from "./pack/exports.ts";
import { attw, docs, jsr, publint } from "./pack/lint.ts";
import { build, pack, work } from "./pack/package.ts";
import { types } from "./pack/types.ts";

/** The steps that every other step needs. */
const FIRST = new Set(["build", "pack"]);

const STEPS: Readonly<Record<string, () => Promise<unknown>>> = {
  build,
  pack,
  publint,
  attw,
  jsr,
  docs,
  types,
  exports: exportsOnHosts,
  traces,
  workers,
  command,
  "empty-folder": emptyFolders,
};

const wanted = new Set(process.argv.slice(2));
const unknown = [...wanted].filter((name) => !Object.hasOwn(STEPS, name));
if (unknown.length > 0) throw new Error(`No step ${unknown.join(", ")}; there are ${Object.keys(STEPS).join(", ")}`);

try {
  for (const [name, step] of Object.entries(STEPS)) {
    if (wanted.size > 0 && !wanted.has(name) && !FIRST.has(name)) continue;
    process.stdout.write(`pack:check ${name}`);
    const start = performance.now();
    await step();
    process.stdout.write(` (${((performance.now() - start) / 1000).toFixed(1)} s)\n`);
  }
} catch (error) {
  process.stdout.write(": failed\n");
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}
