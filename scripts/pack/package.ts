/**
 * Builds and packs the package, and installs it from the tarball into empty folders, as a consumer does.
 *
 * @module
 */

import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { root } from "../package/manifest.ts";
import { hostOf, newestNode } from "./hosts.ts";
import { run } from "./process.ts";

/** The folder for all files that the check writes. */
export const work: string = mkdtempSync(join(tmpdir(), "tsgi-pack-"));

/** The folder of the built package. */
export const dist: string = join(work, "dist");

/** Builds the package. */
export async function build(): Promise<void> {
  await run({ binary: newestNode.binary, args: [join(root, "scripts/build_npm.ts"), dist], cwd: root });
}

let tarball = "";

/** Packs the package. */
export async function pack(): Promise<string> {
  await npm(["pack", "--silent", "--pack-destination", work], dist);
  tarball = join(work, readdirSync(work).find((name) => name.endsWith(".tgz")) as string);
  return tarball;
}

/** Returns the path of the tarball. */
export function packed(): string {
  return tarball;
}

/** Makes an empty folder. */
export function emptyFolder(name: string): string {
  const folder = join(work, name);
  mkdirSync(folder);
  return folder;
}

/** Makes a folder with files in it, and installs the package there with npm, as the documentation says. */
export async function consumer(name: string, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = emptyFolder(name);
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  await npm(
    ["install", "--silent", "--prefer-offline", "--no-audit", "--no-fund", "--prefix", folder, tarball],
    folder,
  );
  return folder;
}

/** Does the same as `consumer`, with Bun. */
export async function bunConsumer(name: string, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = emptyFolder(name);
  writeFileSync(join(folder, "package.json"), "{}");
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  await run({ binary: hostOf("bun").binary, args: ["add", tarball], cwd: folder });
  return folder;
}

/** Runs npm: the one that runs this script, if there is one. */
export async function npm(args: readonly string[], cwd: string): Promise<string> {
  const path = process.env["npm_execpath"];
  if (path === undefined) return await run({ binary: "npm", args, cwd });
  return await run({ binary: newestNode.binary, args: [path, ...args], cwd });
}
