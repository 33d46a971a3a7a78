/**
 * Runs the `tsgi` command as a real process, in a folder of its own.
 *
 * A test waits for a line of the log, or checks a condition repeatedly; it never waits for a guessed time. At the end,
 * every process of the command is killed by its id.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { until } from "../lifecycle/cell.ts";
import { type Exit, ownEnvironment, projectPath, runCommand, type Runtime } from "../server_process.ts";

export { until } from "../lifecycle/cell.ts";
export { projectPath, type Runtime } from "../server_process.ts";

/** The three runtimes. */
export const runtimes: readonly Runtime[] = ["node", "deno", "bun"];

/** The application that most tests serve. */
export const SITE: string = projectPath("tests/cli/apps/site.ts:app");

/** How a command is started. */
export interface CommandOptions {
  /** Its arguments. */
  readonly args?: readonly string[];
  /** More environment variables. */
  readonly env?: Readonly<Record<string, string>>;
  /** Files in its folder, by name. */
  readonly files?: Readonly<Record<string, string>>;
  /** Descriptors 3 and up. */
  readonly sockets?: readonly number[];
  /** Where it is started, if that is not its folder. */
  readonly cwd?: string;
  /** Path of the program, where it is not the one of the project. */
  readonly main?: string;
  /** Descriptors that replace standard output and standard error. Their text is then not collected here. */
  readonly out?: number;
  readonly err?: number;
  /** A shell script that runs it; `"$@"` is the command line. */
  readonly shell?: string;
}

/** A running command. */
export class Command {
  /** Its working directory. */
  readonly folder: string;
  /** How it ended. */
  readonly exited: Promise<Exit>;
  /** Settles when its output has ended too. */
  readonly closed: Promise<void>;
  readonly #child: ChildProcess;
  readonly #output = { out: "", err: "" };
  #exit: Exit | undefined;

  /** Starts it. */
  constructor(runtime: Runtime, options: CommandOptions = {}) {
    const { args = [], env = {}, files = {}, sockets = [], cwd, main, out, err, shell } = options;
    this.folder = mkdtempSync(join(tmpdir(), "tsgi-cli-"));
    for (const [name, text] of Object.entries(files)) this.write(name, text);
    const { binary, args: words } = runCommand(runtime, "cli/main.ts", ["-A"]);
    const line = [binary, ...(main === undefined ? words : words.with(-1, main)), ...args];
    const [program, rest] = shell === undefined ? [binary, line.slice(1)] : ["sh", ["-c", shell, "sh", ...line]];
    const { PORT: _port, WEB_CONCURRENCY: _workers, ...environment } = ownEnvironment();
    this.#child = spawn(program as string, rest as string[], {
      cwd: cwd ?? this.folder,
      stdio: ["ignore", out ?? "pipe", err ?? "pipe", ...sockets],
      env: { ...environment, ...env },
    });
    this.#child.stdout?.setEncoding("utf8").on("data", (text) => this.#output.out += text);
    this.#child.stderr?.setEncoding("utf8").on("data", (text) => this.#output.err += text);
    this.closed = new Promise((resolve) => this.#child.once("close", () => resolve()));
    this.exited = new Promise((resolve) => {
      this.#child.once("exit", (code, signal) => resolve(this.#exit = { code, signal }));
    });
  }

  /** Starts it, and waits until all its workers are ready. */
  static async serving(runtime: Runtime, options: CommandOptions = {}): Promise<Command> {
    const { args = [] } = options;
    const bind = args.some((arg) => /^(-b|--bind)/.test(arg)) || options.sockets !== undefined;
    const command = new Command(runtime, {
      ...options,
      args: [...(bind ? [] : ["-b", "127.0.0.1:0"]), ...args],
    });
    try {
      await command.logged(/All workers are ready/);
    } catch (error) {
      await command.stop();
      throw error;
    }
    return command;
  }

  /** Id of the started process, which gets the signals. */
  get pid(): number {
    return this.#child.pid as number;
  }

  /** Its standard error: the error log. */
  get log(): string {
    return this.#output.err;
  }

  /** Its standard output. */
  get out(): string {
    return this.#output.out;
  }

  /** The port it listens on. */
  get port(): number {
    return Number(/Listening at: \S*?:(\d+)[\s,]/.exec(this.log)?.[1] ?? /127\.0\.0\.1:(\d+)/.exec(this.log)?.[1]);
  }

  /** Id of the arbiter. */
  get arbiter(): number {
    return Number(/\[(\d+)\] \[INFO\] Starting tsgi/.exec(this.log)?.[1]);
  }

  /** Ids of the workers that run. */
  get workers(): number[] {
    return childrenOf(this.arbiter);
  }

  /** Path of a file in its folder. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** Writes a file in its folder. */
  write(name: string, text: string): void {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text);
  }

  /** Sends a signal. */
  kill(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Waits until the log matches `count` times. */
  async logged(pattern: RegExp, count = 1, deadline?: number): Promise<void> {
    const all = new RegExp(pattern.source, "g");
    const seen = (): boolean => [...this.log.matchAll(all)].length >= count;
    await until(`${pattern} (${count})`, () => seen() || this.#exit !== undefined, deadline, () => `\n${this.log}`);
    if (!seen()) throw new Error(`Ended without ${pattern}: ${JSON.stringify(this.#exit)}\n${this.log}`);
  }

  /** Waits until this many workers run, and are ready. */
  async pool(count: number, deadline?: number): Promise<void> {
    await until(`${count} workers`, () => this.workers.length === count, deadline, () => `\n${this.log}`);
  }

  /** The text of a response. */
  async get(path: string, init: RequestInit = {}): Promise<string> {
    const headers = { connection: "close", ...init.headers };
    return await (await fetch(`http://127.0.0.1:${this.port}${path}`, { ...init, headers })).text();
  }

  /** Waits for its end. */
  async exit(deadline?: number): Promise<Exit> {
    await until("the command to end", () => this.#exit !== undefined, deadline, () => `\n${this.log}`);
    return this.#exit as Exit;
  }

  /** Kills every process of it, and removes its folder. */
  async stop(): Promise<void> {
    const all = [this.pid, ...descendantsOf(this.pid), this.arbiter, ...this.workers].filter((pid) => pid > 0);
    if (this.#exit === undefined) {
      for (const pid of all) kill(pid);
      await this.exited;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Starts a command that serves, calls `run` with it, and always ends it. */
export async function withCommand(
  runtime: Runtime,
  options: CommandOptions,
  run: (command: Command) => Promise<void>,
): Promise<void> {
  await runAndStop(await Command.serving(runtime, options), run);
}

/** Calls `run` with a command, and always ends it. An error contains the log of the command. */
export async function runAndStop(command: Command, run: (command: Command) => Promise<void>): Promise<void> {
  try {
    await run(command);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${command.log}`, { cause: error });
  } finally {
    await command.stop();
  }
}

/** Runs a command to its end. */
export async function ended(runtime: Runtime, options: CommandOptions): Promise<Exit & { out: string; err: string }> {
  const command = new Command(runtime, options);
  try {
    const exit = await command.exit();
    await command.closed; // what it wrote may come after its exit
    return { ...exit, out: command.out, err: command.log };
  } finally {
    await command.stop();
  }
}

/** Whether a process runs. A zombie does not. */
export function runs(pid: number): boolean {
  return stateOf(pid)?.[0] !== undefined && stateOf(pid)?.[0] !== "Z";
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It is gone.
  }
}

/** The state, the parent and the start time of a process. */
function stateOf(pid: number): [state: string, parent: number, start: number] | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").replace(/^.*\) /s, "").split(" ");
    return [fields[0] as string, Number(fields[1]), Number(fields[19])];
  } catch {
    return undefined;
  }
}

/** The running children of a process, the oldest first. Ids do not give that order, because they wrap around. */
export function childrenOf(parent: number): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map(Number);
  return pids.filter((pid) => {
    const state = stateOf(pid);
    return state !== undefined && state[0] !== "Z" && state[1] === parent;
  }).toSorted((a, b) => (stateOf(a)?.[2] ?? 0) - (stateOf(b)?.[2] ?? 0) || a - b);
}

function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}
