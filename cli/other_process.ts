/**
 * Finds out about another process: from /proc, and without /proc (macOS) from the command `ps`.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { alive } from "./child.ts";

/** A running process. */
export interface OtherProcess {
  /** When it was started, in ms since the epoch. */
  readonly started: number;
  /** Its command line. */
  readonly words: readonly string[];
}

const TICKS = 100; // clock ticks a second, the unit of /proc/PID/stat
const INEXACT = 2000; // ms: the boot time, and so each start time, is known in whole seconds only

/**
 * Whether a pidfile belongs to a running tsgi. If the process with that id was started after the file was written, or
 * is another program, the system has reused the id, and the file is stale. Where the system does not tell, the file
 * counts as owned.
 *
 * @param written When the file was written, in ms since the epoch.
 */
export function ownedBy(pid: number, written: number): boolean {
  if (!alive(pid)) return false;
  const other = look(pid);
  return other === undefined || (other.started <= written + INEXACT && isTsgi(other.words));
}

/**
 * Whether a command line is that of a tsgi: `node /srv/node_modules/.bin/tsgi app.ts`, `deno run -A
 * jsr:@tsgi/tsgi/cli`, `bun run cli/main.ts`.
 */
export function isTsgi(words: readonly string[]): boolean {
  return words.some((word) => /(?:^|[/:])tsgi(?:@[^/]*)?(?:\/cli)?$|(?:^|\/)cli\/main\.[jt]s$/.test(word));
}

function look(pid: number): OtherProcess | undefined {
  try {
    return fromProc(pid);
  } catch {
    return fromPs(pid);
  }
}

function fromProc(pid: number): OtherProcess {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /s, "").split(" ");
  const boot = Number(/^btime ([0-9]+)$/m.exec(readFileSync("/proc/stat", "latin1"))?.[1]);
  const started = (boot + Number(fields[19]) / TICKS) * 1000;
  if (Number.isNaN(started)) throw new Error("/proc has another form");
  return { started, words: readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0") };
}

function fromPs(pid: number): OtherProcess | undefined {
  const args = ["-ww", "-o", "lstart=", "-o", "args=", "-p", String(pid)];
  const { stdout } = spawnSync("ps", args, { encoding: "utf8", env: { ...process.env, LC_ALL: "C" } });
  return parsePs(stdout ?? "");
}

/** Parses a line of `ps` such as `Thu Nov 26 13:44:41 2026 node /srv/tsgi app.ts`. */
export function parsePs(line: string): OtherProcess | undefined {
  const match = /^\s*(\w+ \w+ +[0-9]+ [0-9:]+ [0-9]+) +(.*)$/m.exec(line);
  const started = Date.parse(match?.[1] ?? "");
  return match === null || Number.isNaN(started) ? undefined : { started, words: (match[2] as string).split(" ") };
}
