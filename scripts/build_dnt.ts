/**
 * Builds the npm package with dnt, from the same manifest as `npm run build`: `npm run build:dnt`. It needs access to
 * JSR. The published package comes from `npm run build`, which needs no network. This second build proves that the
 * sources do not depend on our own build. `npm run build:dnt:rehearse` runs it with a stand-in for dnt.
 *
 * @module
 */

import { build, emptyDir } from "@deno/dnt";
import { cpSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { alternatives, entryPoints, publishedManifest, readManifest, root } from "./package/manifest.ts";
import { writeDocuments } from "./package/pages.ts";

const outDir = process.argv[2] ?? join(root, "dist", "dnt");
const manifest = readManifest();
const place = (stem: string): string => `./esm/${stem.replace(/^\.\//, "")}`;
const published = publishedManifest(manifest, {
  code: (stem) => `${place(stem)}.js`,
  types: (stem) => `${place(stem)}.d.ts`,
});

process.chdir(root);
await emptyDir(outDir);
await build({
  entryPoints: [
    ...[...entryPoints(manifest)].map(([name, path]) => ({ name, path })),
    // dnt has to include these too. The manifest, which takes precedence, maps "." to them under a condition.
    ...alternatives(manifest).map((path) => ({ name: ".", path })),
    ...Object.entries(manifest.bin).map(([name, path]) => ({ kind: "bin" as const, name, path })),
  ],
  outDir,
  shims: {}, // the code uses only globals that a runtime has
  test: false,
  typeCheck: "single",
  declaration: "inline",
  scriptModule: false, // modules with top-level await cannot be CommonJS
  package: {
    ...published,
    name: manifest.name,
    version: manifest.version,
    devDependencies: { "@types/node": manifest.devDependencies["@types/node"] ?? "*" },
  },
  compilerOptions: { target: "ES2023", lib: ["ES2023", "DOM", "DOM.Iterable"], sourceMap: true },
});
cpSync(join(root, "bridges/python/child.py"), join(outDir, "esm/bridges/python/child.py")); // read beside the code
writeDocuments(manifest, outDir);
