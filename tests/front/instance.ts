/**
 * Runs a front end in the foreground, with its own config, directory and ports, and ends it by its pid.
 *
 * The ports are free ones. Another process may take one first. The front end then does not start, and is started again
 * with other ports.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";

/** How to start an instance. */
export interface Recipe {
  readonly name: string;
  /** Listening ports it needs. */
  readonly ports: number;
  /** Further ports, which its config names already. */
  readonly listens?: readonly number[];
  /** Writes the config for the given ports into the directory, and returns the command. */
  readonly prepare: (directory: string, ports: readonly number[]) => readonly [command: string, ...args: string[]];
  /** Environment variables, in addition to those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Its file of errors, in the directory. */
  readonly errorLog: string;
}

const START_DEADLINE = 20_000; // ms
const STOP_DEADLINE = 10_000; // ms
const ATTEMPTS = 4;

/** A directory of its own below the system's, that other users may enter. */
export function ownDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `tsgi-${name}-`));
  chmodSync(directory, 0o755);
  return directory;
}

/** Ports that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () =>
    new Promise<Server>((resolve, reject) => {
      const server = createServer();
      server.once("error", reject);
      server.listen(0, "127.0.0.1", () => resolve(server));
    })));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** A running front end. */
export class Instance {
  readonly ports: readonly number[];
  readonly directory: string;
  readonly #child: ChildProcess;
  readonly #log: () => string;

  private constructor(child: ChildProcess, ports: readonly number[], directory: string, log: () => string) {
    this.#child = child;
    this.ports = ports;
    this.directory = directory;
    this.#log = log;
  }

  /** Starts one, and waits until all of its ports answer. */
  static async start(recipe: Recipe): Promise<Instance> {
    for (let attempt = 1;; attempt++) {
      const directory = ownDirectory(recipe.name);
      try {
        return await Instance.#attempt(recipe, directory);
      } catch (error) {
        rmSync(directory, { recursive: true, force: true });
        if (attempt === ATTEMPTS || !/in use/.test(String(error))) throw error;
      }
    }
  }

  static async #attempt(recipe: Recipe, directory: string): Promise<Instance> {
    const ports = await freePorts(recipe.ports);
    const [command, ...args] = recipe.prepare(directory, ports);
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, LC_ALL: "C", ...recipe.env },
    });
    let output = "";
    let failure = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => output += text);
    child.stderr.setEncoding("utf8").on("data", (text: string) => output += text);
    child.once("error", (error) => failure = error.message);
    const errorLog = join(directory, recipe.errorLog);
    const log = (): string => output + (existsSync(errorLog) ? readFileSync(errorLog, "utf8") : "");
    const instance = new Instance(child, ports, directory, log);
    const end = performance.now() + START_DEADLINE;
    for (const port of [...ports, ...recipe.listens ?? []]) {
      while (!await answers(port)) {
        const late = performance.now() > end;
        if (failure === "" && instance.alive && !late) await pause(10);
        else {
          await instance.#end();
          throw new Error(`${recipe.name} did not start: ${late ? "not in time" : failure}\n${log()}`);
        }
      }
    }
    return instance;
  }

  /** Whether it still runs. */
  get alive(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Its output and its error log. */
  get log(): string {
    return this.#log();
  }

  async #end(): Promise<void> {
    if (!this.alive) return;
    const gone = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_DEADLINE);
    await gone;
    clearTimeout(timer);
  }

  /** Ends it, and removes its directory. */
  async stop(): Promise<void> {
    await this.#end();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
