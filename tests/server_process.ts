/**
 * Starts a server as a process, on one of the three runtimes in devDependencies.
 *
 * Tests wait for the output of the process, never for a guessed time, and end it by its pid.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { binaryOf } from "../scripts/pack/hosts.ts";

/** A runtime in devDependencies. */
export type Runtime = "node" | "deno" | "bun";

const START_DEADLINE = 30_000; // ms

/** How `deno` and `bun` run a file; no type check, no lock file, no prompt. */
const RUN: Readonly<Record<Runtime, readonly string[]>> = {
  node: [],
  deno: ["run", "--no-prompt", "--no-lock", "--no-check"],
  bun: ["--no-env-file"],
};

/** Returns the absolute path of a file of the project. */
export function projectPath(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/** Returns the command that runs a file of the project. `flags` are permissions for Deno. */
export function runCommand(
  runtime: Runtime,
  file: string,
  flags: readonly string[] = [],
): { binary: string; args: string[] } {
  return {
    binary: binaryOf(runtime),
    args: [...RUN[runtime], ...(runtime === "deno" ? flags : []), projectPath(file)],
  };
}

/** How a program is allowed to collect its garbage. Bun always allows it. */
const COLLECTING: Readonly<Record<Runtime, readonly string[]>> = {
  node: ["--expose-gc"],
  deno: ["--v8-flags=--expose-gc"],
  bun: [],
};

/** Returns the command that runs a file of the project, which may collect its garbage. `flags` are permissions for Deno. */
export function collectingCommand(
  runtime: Runtime,
  file: string,
  flags: readonly string[],
): readonly [string, ...string[]] {
  const { binary, args } = runCommand(runtime, file, flags);
  return [binary, ...args.toSpliced(-1, 0, ...COLLECTING[runtime])];
}

/** The environment of this process without `TSGI_*`, because the command would take options of the test run for settings. */
export function ownEnvironment(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("TSGI_")));
}

/** How a process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** How a server is started. */
export interface StartOptions {
  /** Permissions, for Deno. */
  readonly flags?: readonly string[];
  /** Arguments for the file. */
  readonly args?: readonly string[];
  /** More environment variables. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A running server. */
export class ServerProcess {
  /** The match of the pattern that `spawn` waited for. */
  readonly ready: RegExpExecArray;
  /** Settles when the process has ended and its output is complete. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #written: Readonly<Record<"all" | "out" | "err", string>>;

  private constructor(
    child: ChildProcess,
    exited: Promise<Exit>,
    written: Readonly<Record<"all" | "out" | "err", string>>,
    ready: RegExpExecArray,
  ) {
    this.#child = child;
    this.exited = exited;
    this.#written = written;
    this.ready = ready;
  }

  /** Runs a file of the project, and waits until its output matches `ready`. */
  static start(
    runtime: Runtime,
    file: string,
    ready: RegExp,
    { flags = [], args = [], env = {} }: StartOptions = {},
  ): Promise<ServerProcess> {
    const command = runCommand(runtime, file, flags);
    return ServerProcess.spawn(`${file} on ${runtime}`, [command.binary, ...command.args, ...args], ready, env);
  }

  /**
   * Runs a command, and waits until its standard output or standard error matches `ready`.
   *
   * @param sockets Descriptors of this process that the command gets as its descriptors 3 and up.
   */
  static spawn(
    name: string,
    [command, ...args]: readonly [string, ...string[]],
    ready: RegExp,
    env: Readonly<Record<string, string>> = {},
    sockets: readonly number[] = [],
  ): Promise<ServerProcess> {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe", ...sockets],
      env: { ...ownEnvironment(), ...env },
    });
    const written = { all: "", out: "", err: "" };
    const exited = new Promise<Exit>((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        clearTimeout(timer);
        child.kill("SIGKILL");
        reject(new Error(`${name}: ${why}\n${written.all}`));
      };
      const timer = setTimeout(() => fail("did not get ready in time"), START_DEADLINE);
      child.once("error", (error) => fail(error.message));
      exited.then(({ code, signal }) => fail(`exited with ${code ?? signal}`));
      let isReady = false;
      const hear = (stream: "out" | "err", text: string): void => {
        written.all += text;
        written[stream] += text;
        const match = isReady ? null : ready.exec(written[stream]);
        if (match === null) return; // a server may go on talking
        isReady = true;
        clearTimeout(timer);
        resolve(new ServerProcess(child, exited, written, match));
      };
      child.stdout?.setEncoding("utf8").on("data", (text) => hear("out", text));
      child.stderr?.setEncoding("utf8").on("data", (text) => hear("err", text));
    });
  }

  /** Whether the process still runs. */
  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What the process has written to standard output and standard error. */
  get output(): string {
    return this.#written.all;
  }

  /** What the process has written to standard error. */
  get stderr(): string {
    return this.#written.err;
  }

  /** The id of the process. */
  get pid(): number {
    return this.#child.pid as number;
  }

  /** Sends a signal. */
  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends the process and waits until it is gone. */
  async stop(): Promise<void> {
    if (this.alive) this.kill("SIGKILL");
    await this.exited;
  }
}
