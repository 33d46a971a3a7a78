/**
 * Writes an empty module set: a package with the modules that a program loads from ours. They import each other in the
 * same way, but contain no code.
 *
 * Each module keeps its imports, names included, and exports the same names, all undefined. Dynamic imports stay
 * dynamic.
 *
 * @module
 */

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

const STATEMENT = /^(?:import|export)\s[^;"]*?\bfrom\s*"([^"]+)";?|^import\s*"([^"]+)";?/gm;
const DYNAMIC = /\bimport\("(\.[^"]+)"\)/g;
/** The list in which modules of an empty set record their dynamic imports, for `FOLLOW`. */
const LATER = "globalThis.later ??= []";

/** For a program that imports an empty set: loads what its modules import dynamically, in order. */
export const FOLLOW: string = `for (const load of ${LATER}) await load();\n`;

/** Writes the empty counterparts of `modules`, paths from `from`, to the same paths below `to`. */
export async function writeEmptySet(from: string, to: string, modules: readonly string[]): Promise<void> {
  for (const path of modules) {
    const target = join(to, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, await emptied(from, path, new Set(modules)));
  }
  const manifest = join(from, "package.json");
  if (modules.includes("mod.js")) copyFileSync(manifest, join(to, "package.json"));
}

async function emptied(from: string, path: string, loaded: ReadonlySet<string>): Promise<string> {
  const source = readFileSync(join(from, path), "utf8");
  const code = withoutComments(path.endsWith(".ts") ? stripTypeScriptTypes(source) : source);
  const lines: string[] = [];
  const passedOn = new Set<string>();
  for (const [statement, specifier, bare] of code.matchAll(STATEMENT)) {
    if (!(specifier ?? bare)!.startsWith(".")) continue;
    lines.push(statement.replace(/\s+/g, " "));
    // TypeScript drops an import of unused names, as if it were a type import. So a bare import is added.
    if (path.endsWith(".ts")) lines.push(`import "${specifier ?? bare}";`);
    if (!statement.startsWith("export")) continue;
    for (const name of await exportedNames(statement, join(from, dirname(path), specifier!))) passedOn.add(name);
  }
  for (const [load, specifier] of code.matchAll(DYNAMIC)) {
    if (loaded.has(join(dirname(path), specifier!))) lines.push(`(${LATER}).push(() => ${load});`);
  }
  const names = Object.keys(await import(pathToFileURL(join(from, path)).href)).filter((name) => !passedOn.has(name));
  const exported = names.map((name) => `nothing as ${name}`).join(", ");
  return [...lines, "const nothing = undefined;", `export { ${exported} };`, ""].join("\n");
}

/** The names that `export { a, b as c } from` or `export * from` exports; `file` is the module behind `from`. */
async function exportedNames(statement: string, file: string): Promise<string[]> {
  if (/^export\s*\*\s*from\b/.test(statement)) {
    return Object.keys(await import(pathToFileURL(file).href)).filter((name) => name !== "default");
  }
  const list = /\{([^}]*)\}/.exec(statement)?.[1];
  if (list === undefined) throw new Error(`Not understood: ${statement}`);
  return list.split(",").map((one) => one.trim().split(/\s+as\s+/).at(-1)!).filter((name) => name !== "");
}

/** Removes comments, because examples in block comments have their own imports. */
function withoutComments(code: string): string {
  return code.replace(/^\s*\/\*\*[\s\S]*?\*\//gm, "").replace(/^\s*\/\/.*$/gm, "");
}
