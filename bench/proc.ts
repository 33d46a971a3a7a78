/**
 * Reads CPU time and resident memory of a process and its children from /proc, on Linux.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const TICKS = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
const PAGE = Number(execFileSync("getconf", ["PAGESIZE"], { encoding: "utf8" }));

function read(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return ""; // has ended
  }
}

/** The fields of /proc/PID/stat after the process name, which may contain any character. The first is the state. */
function stat(pid: number | "self"): string[] {
  const text = read(`/proc/${pid}/stat`);
  return text.slice(text.lastIndexOf(")") + 2).split(" ");
}

/** The ids of a process and of all its descendants. */
export function family(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(" ").filter((text) => text !== "").map(Number);
  return [pid, ...children.flatMap(family)];
}

/** CPU time of processes in microseconds: user and system, all threads. */
export function cpu(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const fields = stat(pid);
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }
  return ticks / TICKS * 1e6;
}

/** CPU time of the ended children of this process, in microseconds. */
export function endedChildren(): number {
  const fields = stat("self");
  return (Number(fields[13]) + Number(fields[14])) / TICKS * 1e6;
}

/** Resident memory of processes in KiB. */
export function resident(pids: readonly number[]): number {
  let pages = 0;
  for (const pid of pids) pages += Number(read(`/proc/${pid}/statm`).split(" ")[1] ?? 0);
  return pages * PAGE / 1024;
}
