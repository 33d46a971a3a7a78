/**
 * What the tools of the registries think of the package.
 *
 * @module
 */

import { join } from "node:path";
import { alternatives, entryPoints, readManifest, root } from "../package/manifest.ts";
import { hostOf, newestNode } from "./hosts.ts";
import { dist, packed } from "./package.ts";
import { ended, run } from "./process.ts";

/** publint: the manifest, and that what it names is there and is what it says. A warning is an error. */
export async function publint(): Promise<void> {
  const tool = join(root, "node_modules/publint/src/cli.js");
  await run({ binary: newestNode.binary, args: [tool, "run", dist, "--strict", "--pack", "npm"], cwd: root });
}

/** Are the types wrong? For modules only: there is no CommonJS. */
export async function attw(): Promise<void> {
  const tool = join(root, "node_modules/@arethetypeswrong/cli/dist/index.js");
  const args = [tool, packed(), "--profile", "esm-only", "--no-definitely-typed"];
  await run({ binary: newestNode.binary, args, cwd: root });
}

/** What JSR warns of, and may: a command that loads an application imports what it is told. */
const LOADERS =
  /^warning\[unanalyzable-(?:dynamic-import|import-meta-resolve)\][^\n]*\n\s*--> [^\n]*[\\/]cli[\\/](?:config|application|programs[\\/]main_module)\.ts:/;

/** JSR: what would be published has no slow types and no import that JSR would not resolve. */
export async function jsr(): Promise<void> {
  const args = ["publish", "--dry-run", "--allow-dirty"];
  const { err } = await ended({ binary: hostOf("deno").binary, args, cwd: root, env: { NO_COLOR: "1" } });
  const warnings = err.split(/^(?=(?:warning|error)\b)/m).filter((part) => /^(?:warning|error)\b/.test(part));
  const others = warnings.filter((warning) => !LOADERS.test(warning));
  if (others.length > 0 || !err.includes("Dry run complete")) {
    throw new Error(`deno publish: ${others.join("") || err}`);
  }
}

/** JSR again: every name that is exported has documentation, and no type of it is hidden. */
export async function docs(): Promise<void> {
  const manifest = readManifest();
  const modules = [...entryPoints(manifest).values(), ...alternatives(manifest)];
  await run({ binary: hostOf("deno").binary, args: ["doc", "--lint", "--quiet", ...modules], cwd: root });
}
