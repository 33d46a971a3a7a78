/**
 * Reads the manifest of the package, `package.json` of the sources, in which every path is a source file. The published
 * manifest has the same fields with paths into a build. `build_npm.ts` and `build_dnt.ts` use different build paths.
 *
 * An entry of `exports` is a file, or files by condition. Only `"."` has conditions: under `workerd` it is the API that
 * loads no module of a runtime. `deno` and `bun` come first, so that those runtimes keep their sockets even if they are
 * started with other conditions. Every other entry is one file for all hosts.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const root: string = fileURLToPath(new URL("../../", import.meta.url));

/** An entry of `exports` in the sources. */
export type Entry = string | Readonly<Record<string, string>>;

/** The fields of the sources' `package.json` that are used here. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly exports: Readonly<Record<string, Entry>>;
  readonly bin: Readonly<Record<string, string>>;
  /** The published files and folders. */
  readonly files: readonly string[];
  readonly scripts: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/**
 * Maps a source path without extension, such as `"./core/grammar"`, to its JavaScript and declarations in the build.
 */
export interface Places {
  readonly code: (stem: string) => string;
  readonly types: (stem: string) => string;
}

/** The fields that a consumer needs. Scripts and devDependencies are not published. */
const PUBLIC_FIELDS = [
  "name",
  "version",
  "description",
  "keywords",
  "license",
  "type",
  "sideEffects",
  "engines",
  "dependencies",
];

/** The folder of the documentation. */
const PAGES = "docs";

/** Reads `package.json`, or another one. */
export function readManifest(path: string = join(root, "package.json")): Manifest {
  return JSON.parse(readFileSync(path, "utf8")) as Manifest;
}

/** The source files of the entry points, by the names that consumers import. Data files are left out. */
export function entryPoints(manifest: Manifest): Map<string, string> {
  const all = Object.entries(manifest.exports).map(([name, entry]) => [name, typesOf(entry)] as const);
  return new Map(all.filter(([, path]) => isModule(path)));
}

/** The source files that are reached only under a condition. */
export function alternatives(manifest: Manifest): string[] {
  const all = Object.values(manifest.exports).flatMap((entry) => typeof entry === "string" ? [] : Object.values(entry));
  const entries = new Set(entryPoints(manifest).values());
  return [...new Set(all)].filter((path) => !entries.has(path));
}

/** The published files that are code: TypeScript files, and folders of them. */
export function sourcesOf(manifest: Manifest): string[] {
  return manifest.files.filter((name) => !isDocument(name));
}

/** The published files that are documents: those with names in capitals, and the pages of docs/. */
export function documentsOf(manifest: Manifest): string[] {
  return manifest.files.filter(isDocument).flatMap((name) => {
    if (name !== PAGES) return [name];
    return readdirSync(join(root, name), { recursive: true, encoding: "utf8" })
      .filter((page) => page.endsWith(".md")).map((page) => `${name}/${page}`).sort();
  });
}

function isDocument(name: string): boolean {
  return name === PAGES || /^[A-Z]/.test(name);
}

/** The manifest to publish. */
export function publishedManifest(manifest: Manifest, places: Places): Record<string, unknown> {
  const published: Record<string, unknown> = {};
  for (const field of PUBLIC_FIELDS) published[field] = manifest[field];
  const repository = repositoryUrl();
  if (repository !== undefined) published["repository"] = { type: "git", url: repository };
  published["exports"] = mapValues(manifest.exports, (entry) => publishedEntry(entry, places));
  published["bin"] = mapValues(manifest.bin, (path) => places.code(stem(path)));
  return published;
}

function publishedEntry(entry: Entry, places: Places): Entry {
  const types = typesOf(entry);
  if (!isModule(types)) return types;
  const { types: _types, ...code } = typeof entry === "string" ? { default: entry } : entry;
  return { types: places.types(stem(types)), ...mapValues(code, (path) => places.code(stem(path))) };
}

function typesOf(entry: Entry): string {
  return typeof entry === "string" ? entry : entry["types"] as string;
}

function isModule(path: string): boolean {
  return path.endsWith(".ts");
}

function stem(path: string): string {
  return path.slice(0, -".ts".length);
}

/**
 * Returns the URL of the source repository, which is known only in a GitHub workflow. npm accepts a provenance
 * statement only for the repository that the manifest names.
 */
function repositoryUrl(): string | undefined {
  const { GITHUB_REPOSITORY: name, GITHUB_SERVER_URL: server } = process.env;
  return name && server ? `git+${server}/${name}.git` : undefined;
}

function mapValues<T, R>(object: Readonly<Record<string, T>>, map: (value: T) => R): Record<string, R> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value)]));
}
