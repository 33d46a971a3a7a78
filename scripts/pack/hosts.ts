/**
 * The supported runtimes, at the versions in devDependencies: the oldest that `engines` allows, some between, and the
 * newest.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "../package/manifest.ts";

/** A runtime. */
export interface Host {
  /** Display name. */
  readonly name: string;
  /** Name of its adapter: `tsgi/node`. */
  readonly runtime: "node" | "deno" | "bun";
  readonly binary: string;
  /** Returns the arguments that run a file. `permissions` are for Deno; by default it gets all. */
  readonly run: (file: string, flags?: readonly string[], permissions?: readonly string[]) => string[];
}

const modules = join(root, "node_modules");

/** Returns the path of a package's program, which has another name on Windows. */
function program(path: string): string {
  const found = [`${path}.exe`, path].map((name) => join(modules, name)).find((name) => existsSync(name));
  if (found === undefined) throw new Error(`There is no ${path} in ${modules}: npm ci`);
  return found;
}

function node(name: string, folder: string): Host {
  const run = (file: string, flags: readonly string[] = []): string[] => [...flags, file];
  return { name, runtime: "node", binary: program(`${folder}/bin/node`), run };
}

/** Paths of the runtimes that the project itself uses. */
const OWN = { node: "node/bin/node", deno: "deno/deno", bun: "bun/bin/bun" };

/** The program of a runtime. */
export function binaryOf(runtime: keyof typeof OWN): string {
  return program(OWN[runtime]);
}

/** The compilers that must accept the declarations, by version. */
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

/** The Node.js that the project itself runs on. */
export const newestNode: Host = hosts[2] as Host;

/** The host of a runtime. */
export function hostOf(runtime: string): Host {
  return hosts.find((host) => host.runtime === runtime) as Host;
}
