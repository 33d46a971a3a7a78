/**
 * The runtimes and adapters that serve in tests of real sockets, with what Deno permits them.
 *
 * @module
 */

import type { Runtime } from "../server_process.ts";

/** A runtime, and whether it serves on its own sockets or on `node:net`. */
export type HostCell = readonly [runtime: Runtime, adapter: "native" | "net"];

/** All of them. On Node the two adapters are the same. */
export const CELLS: readonly HostCell[] = [
  ["node", "native"],
  ["deno", "native"],
  ["bun", "native"],
  ["deno", "net"],
  ["bun", "net"],
];

/** What a server needs on Deno, at a Unix socket too. */
export const FLAGS: readonly string[] = [
  "--allow-net",
  "--allow-env",
  "--allow-read",
  "--allow-write",
  "--allow-sys",
];
