/**
 * The files that an application is made of: that of its specification, and what they import.
 *
 * Imports are found in the text, so that a file with a syntax error has them too, and nothing is run. Each import of a
 * file is followed; packages are not.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { candidatesOf, fileOf, parseSpec } from "./application.ts";

const IMPORT = /(?:\bfrom|\bimport|\brequire)\s*\(?\s*(["'])(\.{1,2}\/[^"'\n]+|file:[^"'\n]+)\1/g;

/**
 * Paths of the files that an application is made of, whether they are there or not. Where the file of the specification
 * is missing, these are all the paths it could have.
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
    return []; // no specification
  }
  const first = fileOf(module);
  return first === null ? candidatesOf(module) : [fileURLToPath(first)];
}

function importsOf(path: string): string[] {
  let text = "";
  try {
    text = readFileSync(path, "utf8");
  } catch {
    // It is not there now.
  }
  return [...text.matchAll(IMPORT)].map((match) => fileURLToPath(new URL(match[2] as string, pathToFileURL(path))));
}
