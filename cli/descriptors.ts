/**
 * Limits the connections of a worker to fewer than it has file descriptors for.
 *
 * Runtimes handle a lack of descriptors badly. Node and Bun close connections that wait. Deno 2.9.6 never accepts
 * again, reports no error, and runs on. So connections stay below the limit (RLIMIT_NOFILE), minus a reserve for what
 * the application opens. On Deno the reserve is larger: Deno accepts all waiting connections before it reports the
 * first one, so this code cannot close any of them in between.
 *
 * The application may open more than the reserve. Therefore a worker also checks now and then whether a descriptor is
 * free.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import process from "node:process";

const RESERVE = 64; // descriptors for the application
const PART = 1 / 8; // of the free descriptors: the most for the application, and the part for connections that get 503
const QUEUE = 511; // waiting connections, if the setting backlog is not given

/** How many connections a worker may hold. */
export interface ConnectionLimits {
  /** Most connections that are served; a further one replaces an idle one, or gets 503. */
  readonly served: number;
  /** Most connections that are open; a further one is closed at once. */
  readonly open: number;
}

/** What the limits are computed from. */
export interface Descriptors {
  /** The most descriptors that the process may have; Infinity for no limit. */
  readonly limit: number;
  /** How many descriptors are open. */
  readonly used: number;
  /** How many connections the runtime may accept before it reports the first one. */
  readonly burst: number;
}

/** Computes the limits for this process; `backlog` is the setting. */
export function connectionLimits(wanted: number, backlog: number | null): ConnectionLimits & { limit: number } {
  const limit = descriptorLimit();
  const burst = process.versions.deno === undefined ? 0 : backlog ?? QUEUE;
  return { limit, ...limitsOf(wanted, { limit, used: openDescriptors(), burst }) };
}

/** Computes how many of the `wanted` connections the descriptors allow. */
export function limitsOf(wanted: number, { limit, used, burst }: Descriptors): ConnectionLimits {
  if (limit === Infinity) return { served: wanted, open: Infinity };
  const free = Math.max(0, limit - used);
  const rest = free - Math.min(RESERVE, Math.floor(free * PART)) - Math.min(burst, Math.floor(free / 2));
  const open = Math.max(2, rest);
  return { served: Math.min(wanted, open - Math.max(1, Math.floor(open * PART))), open };
}

/** Whether all descriptors of this process are in use, so that it can open no file and accept no connection. */
export function outOfDescriptors(): boolean {
  try {
    closeSync(openSync("/dev/null", "r"));
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EMFILE";
  }
}

/** The limit in force. It is the soft limit; Node and Bun raise it to the hard limit when they start. */
function descriptorLimit(): number {
  let text: string | undefined;
  try {
    text = /^Max open files\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  } catch {
    text = spawnSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" }).stdout?.trim(); // not Linux
  }
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : Infinity;
}

/** How many descriptors are open; a typical number where the system does not list them. */
function openDescriptors(): number {
  for (const folder of ["/proc/self/fd", "/dev/fd"]) {
    try {
      return readdirSync(folder).length;
    } catch {
      // Try the next folder.
    }
  }
  return 32;
}
