/**
 * One line of shell of a page: it runs until it ends, or until what it starts serves.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import type { Protocol } from "../../mod.ts";
import { until } from "../lifecycle/cell.ts";

/** What a server says once it serves: `serve`, `tsgi`, `deno serve`, and Bun for a default export. */
const READY = /Listening on (\S+)|Started development server: (\S+)|All workers are ready/;
/** Commands of a runtime, or of ours; and those of them that are to end. */
const SERVES = /^(?:\w+=\S+ )*(?:node|deno|bun|bunx|tsgi|npx tsgi|\S+\/\.bin\/tsgi|npm start)\b/;
const ENDS = /--(?:check-config|print-config|version|help|test)\b|\b(?:deno|bun) test\b|\btsgi init\b/;
const LISTENING = /Listening at: (\S+?),? /;
const DEADLINE = 60_000; // ms

/** A line that runs, or has been run. */
export interface Line {
  readonly child: ChildProcess;
  /** What it has written. */
  readonly output: () => string;
  /** Status of its end; null when it serves. */
  readonly status: number | null;
}

/** Where a server listens. */
export interface Address {
  readonly to: { readonly host: string; readonly port: number } | { readonly path: string };
  readonly protocol: Protocol;
}

/** The lines of a `sh` block: comments are left out, lines that end with a backslash joined. */
export function commandLines(code: string): string[] {
  return code.replace(/\\\n\s*/g, "").split("\n").map((line) => line.replace(/(^|\s+)#.*$/, "").trim())
    .filter((line) => line !== "");
}

/** Whether a line goes on serving. */
export function serves(command: string): boolean {
  return SERVES.test(command) && !ENDS.test(command);
}

/**
 * Runs a line until it ends or serves.
 *
 * @param name What an error calls it.
 * @throws {Error} (as a rejection) when it does neither, or ends where it is to serve.
 */
export async function runLine(
  name: string,
  command: string,
  options: {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly serves: boolean;
  },
): Promise<Line> {
  const child = spawn("sh", ["-c", command], {
    cwd: options.cwd,
    detached: true, // a group of its own, which is ended as one
    stdio: ["ignore", "pipe", "pipe"],
    env: options.env,
  });
  const heard = { output: "", ended: false, status: 0 };
  child.stdout.setEncoding("utf8").on("data", (text) => heard.output += text);
  child.stderr.setEncoding("utf8").on("data", (text) => heard.output += text);
  child.once("close", (code) => {
    heard.ended = true;
    heard.status = code ?? 1;
  });
  try {
    const ready = (): boolean => heard.ended || (options.serves && READY.test(heard.output));
    await until(`${name} to serve or to end`, ready, DEADLINE, () => `\n${heard.output}`);
  } catch (error) {
    await endLine(child, "SIGKILL");
    throw error;
  }
  if (heard.ended && options.serves) throw new Error(`${name} ended without having served\n${heard.output}`);
  return { child, output: () => heard.output, status: heard.ended ? heard.status : null };
}

/** Where a server listens, by what it has said. */
export function addressOf(command: string, output: string): Address {
  const ready = READY.exec(output);
  const url = (ready?.[1] ?? ready?.[2] ?? LISTENING.exec(output)?.[1]) as string;
  const protocol = (/--protocol[ =](\w+)/.exec(command)?.[1] ?? "http") as Protocol;
  if (url.startsWith("unix:")) return { to: { path: url.slice("unix:".length) }, protocol };
  return { to: { host: "127.0.0.1", port: Number(new URL(url.replace(/^\w+:/, "http:")).port) }, protocol };
}

/** Whether `lines` are in `output`, in order; `...` is anything. */
export function occurs(lines: readonly string[], output: string): boolean {
  const escaped = lines.map((line) => line.split("...").map((part) => part.replace(/[^\w\s]/g, "\\$&")).join(".*"));
  return new RegExp(escaped.join("\\n(?:.*\\n)*?")).test(output);
}

/** Ends a process and those that it has started, and waits until it is gone. */
export async function endLine(child: ChildProcess, signal: "SIGKILL" | "SIGINT"): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  process.kill(-(child.pid as number), signal);
  await gone;
}
