/**
 * Runs the processes of the package check: commands that run to their end, and servers.
 *
 * The check waits for an exit or for text in the output, never for a guessed time. A server leads a process group, so
 * that its child processes end with it.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { delimiter, dirname } from "node:path";
import process from "node:process";

/** A command and its working directory. */
export interface Command {
  readonly binary: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

const DEADLINE = 60_000; // ms

/**
 * Environment variables that are removed. They belong to this project's npm script or test run, or choose a server's
 * port, and would mislead a consumer's program.
 */
const FOREIGN = /^npm_|^TSGI_|^(?:PORT|WEB_CONCURRENCY|NODE_OPTIONS|NO_COLOR|FORCE_COLOR)$/;

/** Returns the environment of a consumer's shell, with `binary` first in PATH. */
export function shellOf(binary: string): Record<string, string> {
  const inherited = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name));
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"));
  return {
    ...Object.fromEntries(inherited) as Record<string, string>,
    PATH: [dirname(binary), ...folders].join(delimiter),
  };
}

/** Runs a command to its end. Throws unless the exit code is 0. @returns its standard output. */
export async function run(command: Command): Promise<string> {
  return (await ended(command)).out;
}

/** Does the same as `run`. @returns the process, with both outputs. */
export async function ended(command: Command): Promise<Running> {
  const started = new Running(command);
  try {
    const code = await started.exit();
    if (code !== 0) throw started.failure(`ended with ${code}`);
    return started;
  } finally {
    started.kill();
  }
}

/** A process, with what it has written. */
export class Running {
  /** Its standard output. */
  out = "";
  /** Its standard error. */
  err = "";
  readonly #command: Command;
  readonly #child: ChildProcess;
  readonly #closed: Promise<number | string>;
  #hear: () => void = () => {};

  /** Starts it. */
  constructor(command: Command) {
    this.#command = command;
    const { binary, args, cwd, env = {} } = command;
    const grouped = process.platform !== "win32";
    const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
    const child = spawn(binary, args, { cwd, env: { ...shellOf(binary), ...env }, stdio, detached: grouped });
    this.#child = child;
    child.stdout.setEncoding("utf8").on("data", (text: string) => this.#add("out", text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => this.#add("err", text));
    this.#closed = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code, signal) => resolve(code ?? signal ?? 1));
    });
    this.#closed.catch(() => {}); // the code that waits still gets the error
  }

  /** Waits until its standard error matches `count` times. @returns the last match. */
  async says(pattern: RegExp, count = 1): Promise<RegExpExecArray> {
    const all = new RegExp(pattern.source, "g");
    let found: RegExpExecArray | undefined;
    const heard = new Promise<void>((resolve) => {
      this.#hear = () => {
        found = [...this.err.matchAll(all)][count - 1];
        if (found !== undefined) resolve();
      };
      this.#hear();
    });
    await this.#inTime(`saying ${pattern} (${count})`, Promise.race([heard, this.#closed]));
    if (found === undefined) throw this.failure(`ended without saying ${pattern} (${count})`);
    return found;
  }

  /** Waits for its end. @returns its exit code, or the name of the signal. */
  exit(): Promise<number | string> {
    return this.#inTime("an end", this.#closed);
  }

  /** Sends a signal to it, or to a process that it has started. */
  signal(name: NodeJS.Signals, pid: number = this.#child.pid as number): void {
    process.kill(pid, name);
  }

  /** Ends it at once, with what it has started. */
  kill(): void {
    const pid = this.#child.pid;
    if (pid === undefined) return;
    try {
      process.kill(process.platform === "win32" ? pid : -pid, "SIGKILL");
    } catch {
      // The processes have already ended.
    }
  }

  /** Makes an error with the command and its output. */
  failure(what: string): Error {
    const { binary, args, cwd } = this.#command;
    return new Error(`${[binary, ...args].join(" ")} (in ${cwd}): ${what}\n${this.out}${this.err}`);
  }

  #add(stream: "out" | "err", text: string): void {
    this[stream] += text;
    this.#hear();
  }

  async #inTime<T>(what: string, promise: Promise<T>): Promise<T> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(this.failure(`${DEADLINE} ms without ${what}`)), DEADLINE);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}
