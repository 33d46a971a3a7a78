/**
 * Finds and runs programs of the system: curl, wrk, h2load, chromium.
 *
 * On a machine without one of them, the tests that need it are skipped, and the report names them. In CI a missing
 * program is a failure, because otherwise nobody would notice that tests no longer run.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { test } from "vitest";

/** How a program ended, and what it wrote. */
export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The Debian package of each program. */
const packages = { curl: "curl", wrk: "wrk", h2load: "nghttp2-client", chromium: "chromium" } as const;

export type Tool = keyof typeof packages;

/** Returns the path of a program, or null. */
export function find(tool: Tool): string | null {
  for (const folder of (process.env["PATH"] ?? "").split(delimiter)) {
    const path = join(folder, tool);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // It is not in this directory.
    }
  }
  return null;
}

/** Registers a test that needs a program. Without the program it fails if CI is "true", and is skipped otherwise. */
export function testWith(tool: Tool, name: string, body: () => Promise<void>, timeout?: number): void {
  if (find(tool) !== null) return test(name, timeout === undefined ? {} : { timeout }, body);
  if (process.env["CI"] !== "true") return test.skip(`${name} (there is no ${tool} on the PATH)`, body);
  test(name, () => {
    throw new Error(`There is no ${tool} on the PATH, and in CI no test is skipped: apt-get install ${packages[tool]}`);
  });
}

/** Runs a program to its end. `input` is what its standard input gets, piece by piece. */
export function run(
  tool: Tool,
  args: readonly string[],
  input: AsyncIterable<Uint8Array> | readonly string[] = [],
  limit = 25_000,
): Promise<Ran> {
  const child = spawn(find(tool) ?? tool, args, { stdio: "pipe", env: { ...process.env, LC_ALL: "C" } });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => stdout += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => stderr += text);
  child.stdin.on("error", () => {}); // it ended without reading: its exit code tells
  feed(child.stdin, input).catch(() => {});
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`${tool} ${args.join(" ")}: still running after ${limit} ms\n${stdout}\n${stderr}`));
    }, limit);
    child.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

async function feed(stdin: NodeJS.WritableStream, input: AsyncIterable<Uint8Array> | readonly string[]): Promise<void> {
  for await (const piece of input) stdin.write(piece);
  stdin.end();
}
