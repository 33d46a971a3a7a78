/**
 * Assigns cores, finds tools, and describes the machine.
 *
 * The server has one core and the load generator another. With a single core, or without `taskset`, they share, and the
 * results say so.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { runCommand, type Runtime } from "../tests/server_process.ts";

/** Returns the path of a program, or null. */
export function which(program: string): string | null {
  for (const directory of [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/bin"]) {
    try {
      const path = join(directory, program);
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // It is not in this directory.
    }
  }
  return null;
}

/** Returns the path of a program. If it is missing, the error names its Debian package. */
export function needed(program: string, debianPackage: string = program): string {
  const path = which(program);
  if (path === null) throw new Error(`There is no ${program}: apt-get install ${debianPackage}`);
  return path;
}

/** Whether the server and the load generator each have a core. */
export const apart: boolean = availableParallelism() >= 2 && which("taskset") !== null;

/** The reason why they do not, or null. */
export const together: string | null = apart
  ? null
  : availableParallelism() < 2
  ? "one core: server and load generator share it"
  : "there is no taskset (apt-get install util-linux): server and load generator share the cores";

/** The core of a command: that of servers, that of load generators, or any. */
export type Side = "server" | "client" | "anywhere";

/** Prefixes a command so that it runs on its core. */
export function pinned(side: Side, command: readonly string[]): [string, ...string[]] {
  const pin = apart && side !== "anywhere";
  const all = pin ? ["taskset", "-c", side === "server" ? "0" : "1", ...command] : [...command];
  return all as [string, ...string[]];
}

/** The description of a machine that results contain. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly pinned: boolean;
  readonly versions: Readonly<Record<string, string>>;
}

function version(command: string, args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  return /[0-9]+\.[0-9]+[0-9.]*/.exec(`${stdout ?? ""}${stderr ?? ""}`)?.[0] ?? "?";
}

/** Describes this machine, with the versions of its runtimes and tools. */
export function machine(tools: Readonly<Record<string, readonly string[]>>, isPinned: boolean = apart): Machine {
  const versions: Record<string, string> = {};
  for (const runtime of ["node", "deno", "bun"] as const satisfies readonly Runtime[]) {
    versions[runtime] = version(runCommand(runtime, "").binary, ["--version"]);
  }
  for (const [tool, args] of Object.entries(tools)) {
    const path = which(tool);
    if (path !== null) versions[tool] = version(path, args);
  }
  return {
    cpu: cpus()[0]?.model.trim() ?? "?",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    pinned: isPinned,
    versions,
  };
}
