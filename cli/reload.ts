/**
 * `--reload`: watches the files of the application, and those that the settings name besides.
 *
 * What an application imports is found in its text: each import of a file is followed, from the file of the
 * specification on. Packages are not. The files are looked at by their time of change, which works on every runtime and
 * every file system, and with editors that replace a file; a few hundred files cost about a millisecond each time.
 *
 * @module
 */

import { globSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fileOf, parseSpec } from "./spec.ts";

const INTERVAL = 500; // ms between two looks
const IMPORT = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*(["'])(\.{1,2}\/[^"'\n]+|file:[^"'\n]+)\1/g;

/**
 * Calls `changed` with a file each time that one was changed, created or removed.
 *
 * @returns the function that ends it.
 */
export function watchCode(spec: string, extra: readonly string[], changed: (file: string) => void): () => void {
  let before = look(spec, extra);
  const timer = setInterval(() => {
    const after = look(spec, extra);
    const file = difference(before, after);
    before = after;
    if (file !== undefined) changed(file);
  }, INTERVAL);
  return () => clearInterval(timer);
}

/** When each file was changed. */
type Times = ReadonlyMap<string, number>;

function look(spec: string, extra: readonly string[]): Times {
  const paths = new Set(importedFiles(spec));
  for (const pattern of extra) {
    try {
      if (/[*?[{]/.test(pattern)) { for (const path of globSync(pattern)) paths.add(path); }
      else paths.add(pattern);
    } catch {
      paths.add(pattern);
    }
  }
  return new Map([...paths].map((path) => [path, timeOf(path)]));
}

function timeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function difference(before: Times, after: Times): string | undefined {
  for (const [path, time] of after) {
    if (before.get(path) !== time) return path;
  }
  return [...before.keys()].find((path) => !after.has(path));
}

const known = new Map<string, { time: number; imports: string[] }>();

/** The files that an application is made of: that of its specification, and what they import. */
export function importedFiles(spec: string): string[] {
  const found = new Set<string>();
  let first: string | null = null;
  try {
    first = fileOf(parseSpec(spec).module);
  } catch {
    // No specification.
  }
  const waiting = first === null ? [] : [fileURLToPath(first)];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (found.has(path)) continue;
    found.add(path);
    waiting.push(...importsOf(path));
  }
  return [...found];
}

function importsOf(path: string): string[] {
  const time = timeOf(path);
  const before = known.get(path);
  if (before?.time === time) return before.imports;
  let text = "";
  try {
    text = readFileSync(path, "utf8");
  } catch {
    // It is not there now: a change that will be seen.
  }
  const imports = [...text.matchAll(IMPORT)].map((match) =>
    fileURLToPath(new URL(match[2] as string, `file://${path}`))
  );
  known.set(path, { time, imports });
  return imports;
}
