/**
 * An example as its reader starts it: `node examples/X.ts`, `deno run --allow-net examples/X.ts`, `bun run examples/X.ts`.
 *
 * The line on standard error is the only place that has the port. The test waits for it and checks all of it. The three
 * binaries are not wrappers, so their pid is that of the server.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

export type Runtime = "node" | "deno" | "bun";

export type ExampleName = "echo" | "form" | "forms" | "router" | "serve" | "stream" | "todo" | "upload";

/** How a user starts an example on each runtime. Deno may read PORT here, so that a free port can be asked for. */
export const commands: Readonly<Record<Runtime, readonly string[]>> = {
  node: [],
  deno: ["run", "--allow-net", "--allow-env=PORT", "--allow-read=examples/todo"],
  bun: ["run"],
};

export const runtimes: readonly Runtime[] = ["node", "deno", "bun"];

const root = fileURLToPath(new URL("../../", import.meta.url));
const START_LIMIT = 20_000; // ms
const STOP_LIMIT = 5_000; // ms from SIGTERM to the end

/** A running example. */
export class Example {
  readonly name: ExampleName;
  readonly runtime: Runtime;
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #stderr: () => string;

  private constructor(name: ExampleName, runtime: Runtime, port: number, child: ChildProcess, stderr: () => string) {
    this.name = name;
    this.runtime = runtime;
    this.port = port;
    this.#child = child;
    this.#stderr = stderr;
  }

  /** Starts an example with PORT=0 and waits for its line. `args` stand between the runtime and the file. */
  static start(name: ExampleName, runtime: Runtime, args: readonly string[] = commands[runtime]): Promise<Example> {
    const child = spawn(`${root}node_modules/.bin/${runtime}`, [...args, `examples/${name}.ts`], {
      cwd: root,
      env: { ...process.env, PORT: "0", NO_COLOR: "1" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const orphaned = (): void => void child.kill("SIGKILL");
    process.once("exit", orphaned);
    child.once("exit", () => process.off("exit", orphaned));
    let err = "";
    return new Promise((resolve, reject) => {
      const fail = (why: string): void => {
        clearTimeout(timer);
        child.kill("SIGKILL");
        reject(new Error(`${[runtime, ...args].join(" ")} examples/${name}.ts: ${why}\n${err}`));
      };
      const timer = setTimeout(() => fail(`no port within ${START_LIMIT} ms`), START_LIMIT);
      child.once("error", (error) => fail(error.message));
      child.once("close", (code, signal) => fail(`ended with ${code ?? signal}`));
      child.stderr.setEncoding("utf8").on("data", (text: string) => {
        err += text;
        const line = /^Listening on http:\/\/127\.0\.0\.1:([0-9]+)\/ \(tsgi on ([a-z]+)\)\n/.exec(err);
        if (line === null) return;
        if (line[2] !== runtime) return fail(`it says it runs on ${line[2]}`);
        clearTimeout(timer);
        child.removeAllListeners("close");
        resolve(new Example(name, runtime, Number(line[1]), child, () => err.slice(line[0].length)));
      });
    });
  }

  /** The URL of a path. */
  url(path = "/"): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** Whether the process still runs. */
  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** What the process wrote to standard error after its first line. */
  get stderr(): string {
    return this.#stderr();
  }

  /** Sends SIGTERM and waits for the end. Kills an example that does not end in time, and throws. */
  async stop(): Promise<void> {
    await stopChild(this.#child, `${this.name} on ${this.runtime}`);
  }
}

/** Sends SIGTERM to a child and waits until it has gone. */
export async function stopChild(child: ChildProcess, what: string): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  let late = false;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, STOP_LIMIT);
  child.kill("SIGTERM");
  await gone;
  clearTimeout(timer);
  if (late) throw new Error(`${what} did not end within ${STOP_LIMIT} ms of SIGTERM`);
}
