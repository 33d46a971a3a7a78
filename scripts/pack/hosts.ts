/**
 * The runtimes that the package is for, at the versions of devDependencies: the oldest that `engines` allows, what is
 * between, and the newest.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "../package/manifest.ts";

/** A runtime. */
export interface Host {
  /** For people. */
  readonly name: string;
  /** Name of its adapter: `tsgi/node`. */
  readonly runtime: "node" | "deno" | "bun";
  readonly binary: string;
  /** What it is given to run a file; `permissions`, for Deno, are all without being named. */
  readonly run: (file: string, flags?: readonly string[], permissions?: readonly string[]) => string[];
}

const modules = join(root, "node_modules");

/** A program of a package: on Windows it has another name. */
function program(path: string): string {
  const found = [`${path}.exe`, path].map((name) => join(modules, name)).find((name) => existsSync(name));
  if (found === undefined) throw new Error(`There is no ${path} in ${modules}: npm ci`);
  return found;
}

function node(name: string, folder: string): Host {
  const run = (file: string, flags: readonly string[] = []): string[] => [...flags, file];
  return { name, runtime: "node", binary: program(`${folder}/bin/node`), run };
}

/** Where the programs are that the project itself runs on. */
const OWN = { node: "node/bin/node", deno: "deno/deno", bun: "bun/bin/bun" };

/** The program of a runtime. */
export function binaryOf(runtime: keyof typeof OWN): string {
  return program(OWN[runtime]);
}

/** The compilers whose users can take the declarations, by version. */
export const compilers: Readonly<Record<string, string>> = {
  "5.9": join(modules, "typescript-5.9/bin/tsc"),
  "6": join(modules, "typescript-6/bin/tsc"),
  "7": join(modules, "typescript/bin/tsc"),
};

/** All of them. */
export const hosts: readonly Host[] = [
  node("node 22", "node-22"),
  node("node 24", "node-24"),
  node("node 26", "node"),
  {
    name: "deno",
    runtime: "deno",
    binary: binaryOf("deno"),
    run: (file, flags = [], permissions = ["--allow-all"]) => {
      return ["run", "--no-lock", "--no-prompt", ...flags, ...permissions, file];
    },
  },
  {
    name: "bun",
    runtime: "bun",
    binary: binaryOf("bun"),
    run: (file, flags = []) => ["run", "--no-env-file", ...flags, file],
  },
];

/** The one that the project itself runs on. */
export const newestNode: Host = hosts[2] as Host;

/** The host of a runtime. */
export function hostOf(runtime: string): Host {
  return hosts.find((host) => host.runtime === runtime) as Host;
}
