/**
 * How many connections a worker may hold: fewer than it has file descriptors for.
 *
 * A runtime that has no descriptor left to accept with does not fare well: Node and Bun close connections that wait, and
 * Deno 2.9.6 never accepts again, tells nobody, and lives on. So connections stay below the limit (RLIMIT_NOFILE), less
 * a reserve for what the application opens. On Deno the reserve is larger: it accepts all that wait before it tells of
 * the first one, so there is nobody to close them in between.
 *
 * The application may open more than the reserve. Therefore a worker also looks, now and then, whether a descriptor can
 * be had.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import process from "node:process";

const RESERVE = 64; // descriptors for the application
const PART = 1 / 8; // of what is free: the most that is reserved for it, and for those that are told to go
const QUEUE = 511; // connections that wait, where the setting backlog does not say

/** What a worker may hold. */
export interface ConnectionLimits {
  /** Connections that are served on each address; one more is told to come back. */
  readonly served: number;
  /** Connections that are open, on all addresses; one more is closed at once. */
  readonly open: number;
}

/** What the limits follow from. */
export interface Descriptors {
  /** The most that the process may have; Infinity for any number. */
  readonly limit: number;
  /** How many it has. */
  readonly used: number;
  /** How many connections are accepted before the first is told of. */
  readonly burst: number;
}

/** The limits for this process; `backlog` is the setting. */
export function connectionLimits(wanted: number, backlog: number | null): ConnectionLimits & { limit: number } {
  const limit = descriptorLimit();
  const burst = process.versions.deno === undefined ? 0 : backlog ?? QUEUE;
  return { limit, ...limitsOf(wanted, { limit, used: openDescriptors(), burst }) };
}

/** The limits that descriptors allow, of `wanted` connections. */
export function limitsOf(wanted: number, { limit, used, burst }: Descriptors): ConnectionLimits {
  if (limit === Infinity) return { served: wanted, open: Infinity };
  const free = Math.max(0, limit - used);
  const rest = free - Math.min(RESERVE, Math.floor(free * PART)) - Math.min(burst, Math.floor(free / 2));
  const open = Math.max(2, rest);
  return { served: Math.min(wanted, open - Math.max(1, Math.floor(open * PART))), open };
}

/** Whether this process can open no file and accept no connection, because it has all the descriptors that it may have. */
export function outOfDescriptors(): boolean {
  try {
    closeSync(openSync("/dev/null", "r"));
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EMFILE";
  }
}

/** The limit in force: the soft one, which Node and Bun raise to the hard one when they start. */
function descriptorLimit(): number {
  let text: string | undefined;
  try {
    text = /^Max open files\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  } catch {
    text = spawnSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" }).stdout?.trim(); // no Linux
  }
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : Infinity;
}

/** How many descriptors are open; a usual number where the system does not tell. */
function openDescriptors(): number {
  for (const folder of ["/proc/self/fd", "/dev/fd"]) {
    try {
      return readdirSync(folder).length;
    } catch {
      // The next one.
    }
  }
  return 32;
}
