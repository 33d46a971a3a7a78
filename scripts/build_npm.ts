/**
 * Builds the npm package in `dist/`, or in the given folder. Node does not strip types under node_modules, so the
 * package has JavaScript and declarations. It also has the sources, with source maps that point to them.
 *
 * The sources are in a separate folder. Beside `mod.js`, TypeScript would read `mod.ts` instead of `mod.d.ts`, and
 * check it by the consumer's rules. Comments are kept only in the declarations, where editors read them.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { bundle } from "./bundle.ts";
import {
  alternatives,
  entryPoints,
  type Places,
  publishedManifest,
  readManifest,
  root,
  sourcesOf,
} from "./package/manifest.ts";
import { writeDocuments } from "./package/pages.ts";

const SHEBANG = "#!/usr/bin/env node\n";
const SOURCES = "src";

const dist = process.argv[2] ?? join(root, "dist");
const sources = join(dist, SOURCES);
const manifest = readManifest();
const places: Places = { code: (stem) => `${stem}.js`, types: (stem) => `${stem}.d.ts` };

rmSync(dist, { recursive: true, force: true });
for (const name of sourcesOf(manifest)) cpSync(join(root, name), join(sources, name), { recursive: true });
writeDocuments(manifest, dist);

// Comes first, since it makes the sources ES modules.
writeFileSync(join(dist, "package.json"), `${JSON.stringify(publishedManifest(manifest, places), null, 2)}\n`);

const base = {
  noEmitOnError: true,
  noEmit: false,
  rootDir: sources,
  outDir: dist,
  isolatedDeclarations: false,
  typeRoots: [join(root, "node_modules", "@types")],
  paths: { chokidar: [join(root, "node_modules", "chokidar", "index.d.ts")] }, // the build may be elsewhere
};
compile({ ...base, declaration: false, sourceMap: true, removeComments: true }, { include: ["."] });
compile({ ...base, emitDeclarationOnly: true, declarationMap: true }, {
  files: [...entryPoints(manifest).values()],
  include: [],
});
pruneDeclarations(dist, [...entryPoints(manifest).values()].map((path) => places.types(path.slice(0, -".ts".length))));
for (const name of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
  if (name.endsWith(".d.ts")) importScripts(join(dist, name));
}
const faces = [...entryPoints(manifest).values(), ...alternatives(manifest), ...Object.values(manifest.bin)];
await bundle(dist, faces.map((path) => places.code(path.slice("./".length, -".ts".length))));
for (const name of readdirSync(sources, { recursive: true, encoding: "utf8" })) {
  if (name.endsWith(".py")) cpSync(join(sources, name), join(dist, name)); // read beside the code
}
for (const path of Object.values(manifest.bin)) makeCommand(join(dist, places.code(path.slice(0, -".ts".length))));

/** One run of the compiler over the sources in `dist`. */
function compile(compilerOptions: object, selection: object): void {
  const config = join(sources, "tsconfig.json");
  writeFileSync(config, JSON.stringify({ extends: join(root, "tsconfig.json"), compilerOptions, ...selection }));
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const { status } = spawnSync(process.execPath, [tsc, "--project", config], { stdio: "inherit" });
  rmSync(config);
  if (status !== 0) process.exit(status ?? 1);
}

/**
 * Removes the declarations that are not reachable from an entry point's declarations. Only code imports those modules,
 * and their declarations may refer to types that a consumer does not have.
 */
function pruneDeclarations(folder: string, entries: readonly string[]): void {
  const kept = new Set<string>();
  const keep = (path: string): void => {
    if (kept.has(path) || !existsSync(path)) return; // below node_modules the compiler writes only some
    kept.add(path);
    const code = readFileSync(path, "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
    for (const [, stem = ""] of code.matchAll(/\b(?:from |import\(|import )"(\.[^"]+)\.ts"/g)) {
      keep(join(dirname(path), `${stem}.d.ts`));
    }
  };
  for (const entry of entries) keep(join(folder, entry));
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const path = join(folder, name);
    if (/\.d\.ts(?:\.map)?$/.test(name) && !kept.has(path.replace(/\.map$/, ""))) rmSync(path);
  }
}

/**
 * Rewrites imports of `"./types.ts"` in a declaration to `"./types.js"`. In JavaScript the compiler does this itself.
 * Comments stay, and so do all columns that the source map refers to.
 */
function importScripts(path: string): void {
  const text = readFileSync(path, "utf8");
  const specifier = /\/\*[\s\S]*?\*\/|(\bfrom |\bimport\()"(\.[^"]+)\.ts"/g;
  const map = (whole: string, before?: string, stem?: string) => before === undefined ? whole : `${before}"${stem}.js"`;
  writeFileSync(path, text.replace(specifier, map));
}

/** Makes a module an executable that the system runs with node. Shifts its source map by the added first line. */
function makeCommand(path: string): void {
  const map = JSON.parse(readFileSync(`${path}.map`, "utf8"));
  writeFileSync(path, SHEBANG + readFileSync(path, "utf8"));
  writeFileSync(`${path}.map`, JSON.stringify({ ...map, mappings: `;${map.mappings}` }));
  chmodSync(path, 0o755);
}
