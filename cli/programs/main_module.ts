/**
 * Runs a program as if its runtime had been told to run it.
 *
 * Programs look at whether they are the one that was started, and listen only then. What they look at is:
 *
 * - `require.main === module`: true here, on each runtime;
 * - `process.argv[1]`: the file of the program;
 * - `import.meta.main`: true on Bun. Node and Deno give every imported module false, and nothing can change it.
 *
 * @module
 */

import { existsSync, readFileSync, realpathSync } from "node:fs";
import Module from "node:module";
import { dirname, extname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { types } from "node:util";

/** What Node and Deno have besides the public part of node:module. */
interface Loader {
  _load(file: string, parent: null, isMain: true): unknown;
  readonly _cache: Record<string, unknown>;
  new (file: string): { id: string; exports: unknown; load(file: string): void };
}

const loader = Module as unknown as Loader;

/** Imports the program at a `file:` URL; gives its exports. */
export async function importMain(url: string): Promise<Record<string, unknown>> {
  const file = fileURLToPath(url);
  process.argv[1] = file;
  const { Bun } = globalThis as unknown as { readonly Bun?: { main: string } };
  const kind = kindOf(file);
  if (Bun !== undefined) Bun.main = file;
  else if (kind !== "module") {
    const exports = kind === "commonjs" ? loader._load(file, null, true) : loadBySyntax(realpathSync(file));
    if (exports !== undefined && !types.isModuleNamespaceObject(exports)) {
      return { ...(typeof exports === "object" ? exports : {}), default: exports };
    }
  }
  return await import(url) as Record<string, unknown>;
}

/**
 * Loads a file of which only the syntax tells what it is, as the main module. Node's `_load` would run an ES module later,
 * with nobody to wait for it: its exports are then missing, and what it throws is nobody's error.
 *
 * @returns undefined for an ES module that has to be imported.
 */
function loadBySyntax(file: string): unknown {
  const main = new loader(file);
  main.id = ".";
  Object.assign(process, { mainModule: main }); // require.main
  loader._cache[file] = main;
  try {
    main.load(file);
    return main.exports;
  } catch (error) {
    delete loader._cache[file];
    if ((error as { code?: string }).code !== "ERR_REQUIRE_ASYNC_MODULE") throw error;
    return undefined; // it has an await at its top level
  }
}

/**
 * What a file is: by its extension, else by `type` of the nearest package.json. Where that says nothing, Node looks at the
 * syntax; Deno takes it for a module.
 */
function kindOf(file: string): "commonjs" | "module" | "unknown" {
  const extension = extname(file);
  if (/^\.c[jt]s$/.test(extension)) return "commonjs";
  if (!/^\.[jt]s$/.test(extension)) return "module";
  for (let folder = dirname(file);; folder = dirname(folder)) {
    const path = join(folder, "package.json");
    const isLast = folder === dirname(folder);
    if (!existsSync(path) && !isLast) continue;
    const { type } = isLast ? {} : JSON.parse(readFileSync(path, "utf8")) as { type?: string };
    if (type === undefined) return process.versions.deno === undefined ? "unknown" : "module";
    return type === "commonjs" ? "commonjs" : "module";
  }
}
