/**
 * Runs a program as if it were the main module of its runtime.
 *
 * Many programs listen only if they are the main module. They check:
 *
 * - `require.main === module`: true here, on each runtime;
 * - `process.argv[1]`: the file of the program;
 * - `import.meta.main`: true on Bun. On Node and Deno it is false in every imported module, and cannot be changed.
 *
 * A program that asks `isMain()` of this project has an application for the command, and serves it only where the command
 * does not: there the answer is false.
 *
 * @module
 */

import { existsSync, readFileSync, realpathSync } from "node:fs";
import Module from "node:module";
import { dirname, extname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { types } from "node:util";

/** The internal part of node:module that Node and Deno have. */
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

/** Imports the program at a `file:` URL; returns its exports. */
export async function importMain(url: string): Promise<Record<string, unknown>> {
  process.argv[1] = fileURLToPath(url);
  Object.defineProperty(globalThis, Symbol.for("tsgi.servedByCommand"), { value: true }); // read by isMain()
  const file = realpathSync(process.argv[1]); // the command of a package is a symbolic link to the program
  const { Bun } = globalThis as unknown as { readonly Bun?: { main: string } };
  if (Bun !== undefined) Bun.main = file;
  else if (isCommonJs(file)) {
    try {
      return exportsOf(requireMain(file));
    } catch (error) {
      // Without `type` in a package.json, the file may be an ES module after all.
      if ((error as { code?: string }).code !== "ERR_REQUIRE_ASYNC_MODULE") throw error;
    }
  }
  try {
    return await import(url) as Record<string, unknown>;
  } catch (error) {
    // The opposite mistake: Deno took a CommonJS file for an ES module, where the names of CommonJS are missing.
    if (process.versions.deno === undefined || !isWithoutCommonJs(error)) throw error;
    return exportsOf(requireMain(file));
  }
}

function isWithoutCommonJs(error: unknown): boolean {
  return error instanceof ReferenceError &&
    /^(require|module|exports|__dirname|__filename) is not defined/.test(error.message);
}

/** Loads a CommonJS module as the main module; returns its `module.exports`. */
function requireMain(file: string): unknown {
  const loader = Module as unknown as Loader;
  if (process.versions.deno !== undefined) return loader._load(file, null, true);
  // Not Node's `_load`: it would run a main module that turns out to be an ES module by itself, without reporting it.
  const main = new loader(file, null);
  main.id = ".";
  main.filename = file;
  main.paths = loader._nodeModulePaths(dirname(file));
  process.mainModule = main as unknown as NodeJS.Module;
  loader._cache[file] = main;
  main.load(file);
  return main.exports;
}

/** The exports of a module loaded as CommonJS. If it turned out to be an ES module, they are its namespace already. */
function exportsOf(exports: unknown): Record<string, unknown> {
  if (types.isModuleNamespaceObject(exports)) return exports as Record<string, unknown>;
  return { ...(typeof exports === "object" ? exports : {}), default: exports };
}

/**
 * Whether a file is CommonJS. Its extension decides, else `type` in the nearest package.json. Without a `type`, Node
 * tries CommonJS first and goes by the syntax, and Deno takes the file for an ES module. A file without an extension is
 * a command of a package, such as `bin/www`; Deno can run it only as CommonJS.
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
