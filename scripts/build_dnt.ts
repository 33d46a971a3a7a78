/**
 * Builds the npm package with dnt, from the manifest that `npm run build` uses too: `npm run build:dnt`, where JSR can be
 * reached. `npm run build` needs no network and is what is published; this shows that the sources depend on no build of
 * their own. `npm run build:dnt:rehearse` runs it with a stand-in for dnt.
 *
 * @module
 */

import { build, emptyDir } from "@deno/dnt";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { alternatives, documentsOf, entryPoints, publishedManifest, readManifest, root } from "./package/manifest.ts";

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
    // dnt has to take these along too; that "." leads to them under a condition is in the manifest, which wins.
    ...alternatives(manifest).map((path) => ({ name: ".", path })),
    ...Object.entries(manifest.bin).map(([name, path]) => ({ kind: "bin" as const, name, path })),
  ],
  outDir,
  shims: {}, // what is not there on a runtime is not used there
  test: false,
  typeCheck: "single",
  declaration: "inline",
  scriptModule: false, // modules of top-level await cannot be CommonJS
  package: {
    ...published,
    name: manifest.name,
    version: manifest.version,
    devDependencies: { "@types/node": manifest.devDependencies["@types/node"] ?? "*" },
  },
  compilerOptions: { target: "ES2023", lib: ["ES2023", "DOM", "DOM.Iterable"], sourceMap: true },
});
for (const name of documentsOf(manifest)) {
  copyFileSync(join(root, name), join(outDir, name));
}
