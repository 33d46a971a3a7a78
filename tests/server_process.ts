/**
 * A server in a process of its own, on one of the three runtimes that the project brings.
 *
 * Tests wait for what the process says, never for a guessed time, and end it by its pid.
 */

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { binaryOf } from "../scripts/pack/hosts.ts";

/** A runtime of devDependencies. */
export type Runtime = "node" | "deno" | "bun";

const START_DEADLINE = 30_000; // ms

/** How `deno` and `bun` run a file; no type check, no lock file, no prompt. */
const RUN: Readonly<Record<Runtime, readonly string[]>> = {
  node: [],
  deno: ["run", "--no-prompt", "--no-lock", "--no-check"],
  bun: ["--no-env-file"],
};

/** The path of a file of the project. */
export function projectPath(path: string): string {
  return fileURLToPath(new URL(`../${path}`, import.meta.url));
}

/** How a runtime runs a file of the project; `flags` are permissions, for Deno. */
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

/** A running server. */
export class ServerProcess {
  /** What the pattern that was waited for matched. */
  readonly ready: RegExpExecArray;
  readonly #child: ChildProcess;
  readonly #output: { text: string };

  private constructor(child: ChildProcess, output: { text: string }, ready: RegExpExecArray) {
    this.#child = child;
    this.#output = output;
    this.ready = ready;
  }

  /**
   * Runs a file of the project, and waits until its output matches `ready`.
   *
   * @param flags Permissions, for Deno.
   * @param args Arguments for the file.
   */
  static start(
    runtime: Runtime,
    file: string,
    ready: RegExp,
    { flags = [], args = [], env = {} }: {
      flags?: readonly string[];
      args?: readonly string[];
      env?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<ServerProcess> {
    const command = runCommand(runtime, file, flags);
    const child = spawn(command.binary, [...command.args, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env },
    });
    const output = { text: "" };
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        clearTimeout(timer);
        child.kill("SIGKILL");
        reject(new Error(`${file} on ${runtime}: ${why}\n${output.text}`));
      };
      const timer = setTimeout(() => fail("did not get ready in time"), START_DEADLINE);
      child.once("error", (error) => fail(error.message));
      child.once("exit", (code, signal) => fail(`exited with ${code ?? signal}`));
      let resolved = false;
      const hear = (text: string): void => {
        output.text += text;
        const match = ready.exec(output.text);
        if (match === null || resolved) return; // a server may go on talking
        resolved = true;
        clearTimeout(timer);
        child.removeAllListeners("exit");
        resolve(new ServerProcess(child, output, match));
      };
      child.stdout.setEncoding("utf8").on("data", hear);
      child.stderr.setEncoding("utf8").on("data", hear);
    });
  }

  /** Whether the process still runs. */
  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What the process has written to standard output and standard error. */
  get output(): string {
    return this.#output.text;
  }

  /** The id of the process. */
  get pid(): number {
    return this.#child.pid as number;
  }

  /** Ends the process and waits until it is gone. */
  async stop(): Promise<void> {
    if (!this.alive) return;
    const gone = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    this.#child.kill("SIGKILL");
    await gone;
  }
}
