/**
 * Runs the package checks of npm and JSR: publint, Are the types wrong?, and the dry run of JSR.
 *
 * @module
 */

import { join } from "node:path";
import { alternatives, entryPoints, readManifest, root } from "../package/manifest.ts";
import { hostOf, newestNode } from "./hosts.ts";
import { dist, packed } from "./package.ts";
import { ended, run } from "./process.ts";

/** Runs publint: it checks that the files in the manifest exist and have the right format. Warnings are errors. */
export async function publint(): Promise<void> {
  const tool = join(root, "node_modules/publint/src/cli.js");
  await run({ binary: newestNode.binary, args: [tool, "run", dist, "--strict", "--pack", "npm"], cwd: root });
}

/** Runs "Are the types wrong?", for ES modules only, since there is no CommonJS. */
export async function attw(): Promise<void> {
  const tool = join(root, "node_modules/@arethetypeswrong/cli/dist/index.js");
  const args = [tool, packed(), "--profile", "esm-only", "--no-definitely-typed"];
  await run({ binary: newestNode.binary, args, cwd: root });
}

/** Accepted warnings of JSR: the command loads an application, so it imports a path that it is given. */
const LOADERS =
  /^warning\[unanalyzable-(?:dynamic-import|import-meta-resolve)\][^\n]*\n\s*--> [^\n]*[\\/]cli[\\/](?:config|application|programs[\\/]main_module)\.ts:/;

/** Runs the dry run of JSR: there must be no slow types and no import that JSR cannot resolve. */
export async function jsr(): Promise<void> {
  const args = ["publish", "--dry-run", "--allow-dirty"];
  const { err } = await ended({ binary: hostOf("deno").binary, args, cwd: root, env: { NO_COLOR: "1" } });
  const warnings = err.split(/^(?=(?:warning|error)\b)/m).filter((part) => /^(?:warning|error)\b/.test(part));
  const others = warnings.filter((warning) => !LOADERS.test(warning));
  if (others.length > 0 || !err.includes("Dry run complete")) {
    throw new Error(`deno publish: ${others.join("") || err}`);
  }
}

/** Checks documentation for JSR: every exported name must have it, and every type in it must be exported. */
export async function docs(): Promise<void> {
  const manifest = readManifest();
  const modules = [...entryPoints(manifest).values(), ...alternatives(manifest)];
  await run({ binary: hostOf("deno").binary, args: ["doc", "--lint", "--quiet", ...modules], cwd: root });
}
