/**
 * Finds the files of an application: the file that its specification names, and all files that it imports.
 *
 * A regular expression finds the imports in the source text. So a file with a syntax error has imports too, and no code
 * runs. Imports of files are followed; imports of packages are not.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { candidatesOf, fileOf, parseSpec } from "./application.ts";

const IMPORT = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*(["'])(\.{1,2}\/[^"'\n]+|file:[^"'\n]+)\1/g;

/**
 * The paths of the files of an application, whether the files exist or not. Where the file of the specification is
 * missing, all the paths at which it could be are among them.
 */
export function importedFiles(spec: string): string[] {
  const waiting = firstFiles(spec);
  const found = new Set<string>();
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (found.has(path)) continue;
    found.add(path);
    waiting.push(...importsOf(path));
  }
  return [...found];
}

function firstFiles(spec: string): string[] {
  let module: string;
  try {
    module = parseSpec(spec).module;
  } catch {
    return []; // the specification is invalid
  }
  const first = fileOf(module);
  return first === null ? candidatesOf(module) : [fileURLToPath(first)];
}

function importsOf(path: string): string[] {
  let text = "";
  try {
    text = readFileSync(path, "utf8");
  } catch {
    // The file does not exist now.
  }
  return [...text.matchAll(IMPORT)].map((match) => fileURLToPath(new URL(match[2] as string, pathToFileURL(path))));
}
