/**
 * The `ts` blocks of the documentation, as files that run.
 *
 * A block says what its reader would write, so only where its imports lead is changed: `"tsgi"` and its subpaths to the
 * sources that package.json exports, relative ones from the file the block stands in. In Markdown a block whose first
 * line is `// name.ts` is that file for the other blocks of its page; a page that has no `app.ts` of its own imports
 * that of README.md. ```` ```ts ```` runs on all three runtimes, ```` ```ts node ```` on one.
 *
 * @module
 */

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { entryPoints, readManifest } from "../../scripts/package/manifest.ts";
import { projectPath, type Runtime } from "../server_process.ts";
import { documentedPages, fences } from "./markdown.ts";

/** One `ts` block. */
export interface Block {
  /** File and line of its first line: `"core/grammar.ts:42"`. */
  readonly name: string;
  /** The file it stands in, relative to the project. */
  readonly source: string;
  /** The file it is written to, relative to the folder of all blocks. */
  readonly file: string;
  readonly code: string;
  /** The runtimes that it runs on. */
  readonly runtimes: readonly Runtime[];
}

/** The three runtimes. */
export const runtimes: readonly Runtime[] = ["node", "deno", "bun"];

const COMMENT = /\/\*\*[\s\S]*?\*\//g;
const SPECIFIER = /(\bfrom\s*|\bimport\s*\(?\s*)"([^"\n]+)"/g;

const root = projectPath("");

/** The sources that have examples in their comments. */
export function documentedSources(): string[] {
  const below = (folder: string): string[] =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts")).map((name) => `${folder}/${name}`);
  return [
    "mod.ts",
    "mod_fetch.ts",
    "mod_shared.ts",
    ...below("core").sort(),
    ...below("adapters").sort(),
    ...below("bridges").sort(),
    ...below("http").sort(),
    ...below("middleware").sort(),
    ...below("testing").sort(),
  ];
}

/** The `@example` sections of a source, each from its first line to the next tag: line number and text. */
export function exampleSections(source: string): { readonly line: number; readonly text: string }[] {
  const text = readFileSync(join(root, source), "utf8");
  return [...text.matchAll(COMMENT)].flatMap((comment) => {
    const first = lineAt(text, comment.index);
    const plain = comment[0].replace(/\*\/$/, "").replace(/^[ \t]*\* ?/gm, "");
    return [...plain.matchAll(/^@example[\s\S]*?(?=^@\w|$(?![\s\S]))/gm)].map((section) => ({
      line: first + lineAt(plain, section.index) - 1,
      text: section[0],
    }));
  });
}

/** All blocks, in the order of the files they stand in. */
export function allBlocks(): Block[] {
  const inComments = documentedSources().flatMap((source) => {
    const host = /^adapters\/(deno|bun)\.ts$/.exec(source)?.[1] as Runtime | undefined; // tsgi/node runs on all three
    return exampleSections(source).flatMap(({ line, text }) =>
      fences(source, "\n".repeat(line - 1) + text).filter(({ info }) => info === "ts").map(({ name, code }) => {
        const file = `${source.replace(/\.\w+$/, "")}_${name.replace(/^.*:/, "")}.ts`;
        return { name, source, file, code, runtimes: host === undefined ? runtimes : [host] };
      })
    );
  });
  return [...inComments, ...documentedPages().flatMap(pageBlocks)];
}

/** The `ts` blocks of a page. */
export function pageBlocks(page: string): Block[] {
  const folder = page.replace(/\.md$/, "");
  return fences(page).filter(({ info }) => /^ts\b/.test(info)).map(({ name, info, code }) => {
    const file = /^\/\/ ([\w.]+\.ts)\n/.exec(code)?.[1] ?? `${name.replace(/^.*:/, "line_")}.ts`;
    const [, only] = info.split(" ") as [string, Runtime?];
    if (only !== undefined && !runtimes.includes(only)) throw new Error(`${name}: there is no runtime ${only}`);
    return { name, source: page, file: `${folder}/${file}`, code, runtimes: only === undefined ? runtimes : [only] };
  });
}

/** The line number, from 1, of index `at`. */
function lineAt(text: string, at: number): number {
  return text.slice(0, at).split("\n").length;
}

/**
 * Makes a folder in `dist/`, which is not in the repository and in which no other tool looks; Node takes no TypeScript
 * below `node_modules`.
 */
export function makeFolder(name: string): string {
  for (let attempt = 1;; attempt++) {
    mkdirSync(join(root, "dist"), { recursive: true });
    try {
      return mkdtempSync(join(root, "dist", `${name}-`));
    } catch (error) {
      if (attempt === 5) throw error; // another test removed dist/ in between
    }
  }
}

/** Removes a folder that `makeFolder` made, and `dist/` when nothing else is in it. */
export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  try {
    rmdirSync(join(root, "dist"));
  } catch {
    // There is a build in it, or the folder of another test.
  }
}

/** The source files of `"tsgi"` and its subpaths, as package.json exports them. */
export function specifiers(): Map<string, string> {
  return new Map([...entryPoints(readManifest())].map(([name, path]) => [`tsgi${name.slice(1)}`, join(root, path)]));
}

/** Writes blocks below `folder`, an absolute path inside the project. `entries` has the files of `"tsgi"`. */
export function writeBlocks(
  blocks: readonly Block[],
  folder: string,
  entries: ReadonlyMap<string, string> = specifiers(),
): void {
  const files = new Set(blocks.map(({ file }) => file));
  for (const { source, file, code } of blocks) {
    const target = join(folder, file);
    const to = (path: string): string => {
      const way = relative(dirname(target), path);
      return way.startsWith(".") ? way : `./${way}`;
    };
    const mapped = code.replace(SPECIFIER, (whole, before: string, specifier: string) => {
      const entry = entries.get(specifier);
      if (entry !== undefined) return `${before}"${to(entry)}"`;
      if (!specifier.startsWith(".")) return whole;
      if (!source.endsWith(".md")) return `${before}"${to(resolve(root, dirname(source), specifier))}"`;
      const own = join(dirname(file), specifier);
      return `${before}"${to(join(folder, files.has(own) ? own : join("README", specifier)))}"`;
    });
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, /^\s*(?:import|export)\b/m.test(mapped) ? mapped : `${mapped}export {};\n`);
  }
}
