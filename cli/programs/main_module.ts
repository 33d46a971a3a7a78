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
  new (file: string, parent: null): {
    id: string;
    filename: string;
    paths: string[];
    readonly exports: unknown;
    load(file: string): void;
  };
  readonly _cache: Record<string, unknown>;
  _load(file: string, parent: null, isMain: true): unknown;
  _nodeModulePaths(folder: string): string[];
}

/** Imports the program at a `file:` URL; gives its exports. */
export async function importMain(url: string): Promise<Record<string, unknown>> {
  process.argv[1] = fileURLToPath(url);
  const file = realpathSync(process.argv[1]); // what a package has as its command is a link to it
  const { Bun } = globalThis as unknown as { readonly Bun?: { main: string } };
  if (Bun !== undefined) Bun.main = file;
  else if (isCommonJs(file)) {
    try {
      return exportsOf(requireMain(file));
    } catch (error) {
      // A module without a package that says so may be none of CommonJS after all.
      if ((error as { code?: string }).code !== "ERR_REQUIRE_ASYNC_MODULE") throw error;
    }
  }
  try {
    return await import(url) as Record<string, unknown>;
  } catch (error) {
    // The same the other way round: Deno has found none of the names that CommonJS has.
    if (process.versions.deno === undefined || !isWithoutCommonJs(error)) throw error;
    return exportsOf(requireMain(file));
  }
}

function isWithoutCommonJs(error: unknown): boolean {
  return error instanceof ReferenceError &&
    /^(require|module|exports|__dirname|__filename) is not defined/.test(error.message);
}

/** Loads a CommonJS module as the main one; gives its `module.exports`. */
function requireMain(file: string): unknown {
  const loader = Module as unknown as Loader;
  if (process.versions.deno !== undefined) return loader._load(file, null, true);
  // Node's `_load` would run a main module that turns out to be none of CommonJS on its own, and tell nothing of it.
  const main = new loader(file, null);
  main.id = ".";
  main.filename = file;
  main.paths = loader._nodeModulePaths(dirname(file));
  process.mainModule = main as unknown as NodeJS.Module;
  loader._cache[file] = main;
  main.load(file);
  return main.exports;
}

/** What a module exports that was loaded as CommonJS, and may turn out to be none: then these are its exports already. */
function exportsOf(exports: unknown): Record<string, unknown> {
  if (types.isModuleNamespaceObject(exports)) return exports as Record<string, unknown>;
  return { ...(typeof exports === "object" ? exports : {}), default: exports };
}

/**
 * Whether a file is CommonJS: by its extension, else by `type` of the nearest package.json. Where that says nothing, Node
 * looks at the syntax, and begins with CommonJS; Deno takes it for a module. A file without an extension is a command of a
 * package, such as `bin/www`: Deno can run it as CommonJS only.
 */
export function isCommonJs(file: string): boolean {
  const extension = extname(file);
  if (/^\.c[jt]s$/.test(extension)) return true;
  if (!/^(\.[jt]s)?$/.test(extension)) return false;
  for (let folder = dirname(file);; folder = dirname(folder)) {
    const path = join(folder, "package.json");
    const isLast = folder === dirname(folder);
    if (!existsSync(path) && !isLast) continue;
    const { type } = isLast ? {} : JSON.parse(readFileSync(path, "utf8")) as { type?: string };
    return type === undefined ? process.versions.deno === undefined || extension === "" : type === "commonjs";
  }
}
