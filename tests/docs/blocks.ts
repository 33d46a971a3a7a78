/**
 * The `ts` blocks of the documentation, as files that run.
 *
 * A block says what its reader would write, so only where its imports lead is changed: `"tsgi"` and its subpaths to the
 * sources that package.json exports, relative ones from the file the block stands in. A block of README.md whose first
 * line is `// name.ts` is that file for the other blocks of README.md.
 *
 * @module
 */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { entryPoints, readManifest } from "../../scripts/package/manifest.ts";
import { projectPath } from "../server_process.ts";

/** One `ts` block. */
export interface Block {
  /** File and line of its first line: `"core/grammar.ts:42"`. */
  readonly name: string;
  /** The file it stands in, relative to the project. */
  readonly source: string;
  /** The file it is written to, relative to the folder of all blocks. */
  readonly file: string;
  readonly code: string;
}

const COMMENT = /\/\*\*[\s\S]*?\*\//g;
const FENCE = /^```ts\n([\s\S]*?)^```$/gm;
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
  const inComments = documentedSources().flatMap((source) =>
    exampleSections(source).flatMap(({ line, text }) => fenced(source, text, line - 1))
  );
  return [...inComments, ...fenced("README.md", readFileSync(join(root, "README.md"), "utf8"), 0)];
}

function fenced(source: string, text: string, linesBefore: number): Block[] {
  return [...text.matchAll(FENCE)].map((fence) => {
    const code = fence[1] as string;
    const line = linesBefore + lineAt(text, fence.index) + 1;
    const own = source === "README.md" ? /^\/\/ (\w+\.ts)\n/.exec(code)?.[1] : undefined;
    return { name: `${source}:${line}`, source, file: own ?? `${source.replace(/\.\w+$/, "")}_${line}.ts`, code };
  });
}

/** Number of the line, from 1, that index `at` is in. */
function lineAt(text: string, at: number): number {
  return text.slice(0, at).split("\n").length;
}

/** Writes all blocks below `folder`, an absolute path inside the project. */
export function writeBlocks(blocks: readonly Block[], folder: string): void {
  const entries = new Map([...entryPoints(readManifest())].map(([name, path]) => [`tsgi${name.slice(1)}`, path]));
  const readmeFiles = new Set(blocks.filter(({ source }) => source === "README.md").map(({ file }) => file));
  for (const { source, file, code } of blocks) {
    const target = join(folder, file);
    const to = (path: string): string => `./${relative(dirname(target), path)}`;
    const mapped = code.replace(SPECIFIER, (whole, before: string, specifier: string) => {
      const entry = entries.get(specifier);
      if (entry !== undefined) return `${before}"${to(join(root, entry))}"`;
      if (!specifier.startsWith(".")) return whole;
      if (source === "README.md" && readmeFiles.has(specifier.replace("./", ""))) return whole;
      return `${before}"${to(resolve(root, dirname(source), specifier))}"`;
    });
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, /^\s*(?:import|export)\b/m.test(mapped) ? mapped : `${mapped}export {};\n`);
  }
}
