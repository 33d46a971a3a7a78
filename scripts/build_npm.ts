/**
 * Builds `dist/`, or the folder that is named: what goes to npm. Node does not strip types under node_modules, so npm gets JavaScript and declarations.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { bundle } from "./bundle.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const dist = process.argv[2] ?? join(root, "dist");

/** The fields that a consumer of the package needs; scripts and devDependencies stay here. */
const PUBLIC_FIELDS = ["name", "version", "description", "keywords", "license", "type", "sideEffects", "engines"];
const DOCUMENTS = ["README.md", "LICENSE", "CHANGELOG.md"];

rmSync(dist, { recursive: true, force: true });

const tsc = spawnSync(process.execPath, [
  join(root, "node_modules", "typescript", "bin", "tsc"),
  "--project",
  join(root, "scripts", "tsconfig.build.json"),
  "--outDir",
  dist,
], { stdio: "inherit" });
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

const source = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const built: Record<string, unknown> = {};
for (const field of [...PUBLIC_FIELDS, "dependencies"]) built[field] = source[field];
built["exports"] = Object.fromEntries(
  Object.entries(source.exports as Record<string, string>).map(([key, path]) => [key, target(path)]),
);
built["bin"] = Object.fromEntries(
  Object.entries(source.bin as Record<string, string>).map(([name, path]) => [name, path.replace(/\.ts$/, ".js")]),
);
writeFileSync(join(dist, "package.json"), `${JSON.stringify(built, null, 2)}\n`);

const modules = [...new Set<string>(Object.values({ ...source.exports, ...source.bin }))].filter((path) =>
  path.endsWith(".ts")
);
await bundle(dist, modules.map((path) => path.replace(/^\.\/(.*)\.ts$/, "$1.js")));

for (const name of DOCUMENTS) {
  if (existsSync(join(root, name))) copyFileSync(join(root, name), join(dist, name));
}

/** `./mod.ts` becomes its declarations and its JavaScript; other files stay as they are. */
function target(path: string): string | { types: string; default: string } {
  if (!path.endsWith(".ts")) return path;
  const stem = path.slice(0, -".ts".length);
  return { types: `${stem}.d.ts`, default: `${stem}.js` };
}
