/**
 * A cell: one runtime and one way of serving, in a process whose exit, memory and sockets are watched from outside.
 *
 * A test checks a condition repeatedly until a deadline. Figures come from /proc, not from the process itself.
 *
 * @module
 */

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import type { ServeOptions } from "../../mod.ts";
import { collectingCommand, type Exit, runCommand, type Runtime, ServerProcess } from "../server_process.ts";

/** How a cell is run. */
export interface CellPlan {
  readonly name: string;
  readonly runtime: Runtime;
  /** The program that serves: `native` chooses the adapter by runtime, `node_net` is always adapters/node.ts. */
  readonly program: "native" | "node_net";
  /** The program that does without the library, on the same socket API. */
  readonly bare: "bare_node" | "bare_deno" | "bare_bun";
}

/** The five cells. */
export const cells: readonly CellPlan[] = [
  { name: "node", runtime: "node", program: "native", bare: "bare_node" },
  { name: "deno", runtime: "deno", program: "native", bare: "bare_deno" },
  { name: "bun", runtime: "bun", program: "native", bare: "bare_bun" },
  { name: "deno-node", runtime: "deno", program: "node_net", bare: "bare_node" },
  { name: "bun-node", runtime: "bun", program: "node_net", bare: "bare_node" },
];

/** How a cell is started. */
export interface StartOptions {
  /** Options for `serve`. */
  readonly serve?: ServeOptions;
  /** Whether to start the program that does without the library. */
  readonly bare?: boolean;
  /** Whether the program may collect its garbage: `/heap` then tells what is alive. */
  readonly collects?: boolean;
  /** Most descriptors that the process may have. */
  readonly descriptors?: number;
  /** A socket of this process that the cell gets as its descriptor 3. Its port is given, because Bun does not reveal it. */
  readonly socket?: { readonly fd: number; readonly port: number };
}

const FLAGS = ["--allow-net", "--allow-env", "--allow-read", "--allow-sys"]; // for Deno

/** A running process. */
export class Cell {
  readonly port: number;
  readonly #process: ServerProcess;

  private constructor(process: ServerProcess, port: number) {
    this.#process = process;
    this.port = port;
  }

  /** Spawns a program and waits for its port. */
  static async start(
    plan: CellPlan,
    { serve = {}, bare = false, collects = false, descriptors, socket }: StartOptions = {},
  ): Promise<Cell> {
    const program = `tests/lifecycle/programs/${bare ? plan.bare : plan.program}.ts`;
    const { binary, args } = runCommand(plan.runtime, program, FLAGS);
    const command = collects ? collectingCommand(plan.runtime, program, FLAGS) : [binary, ...args];
    const limit = descriptors === undefined ? [] : ["sh", "-c", `ulimit -n ${descriptors}; exec "$0" "$@"`];
    const words = [...limit, ...command] as [string, ...string[]];
    const env = { TSGI_SERVE: JSON.stringify(serve) };
    const sockets = socket === undefined ? [] : [socket.fd];
    const process = await ServerProcess.spawn(plan.name, words, /^port (\d+)$/m, env, sockets);
    return new Cell(process, socket?.port ?? Number(process.ready[1]));
  }

  /** The id of the process. */
  get pid(): number {
    return this.#process.pid;
  }

  /** How the process ended. */
  get exited(): Promise<Exit> {
    return this.#process.exited;
  }

  /** What the process has written. */
  get output(): string {
    return this.#process.output;
  }

  /** Whether the process still runs. */
  get alive(): boolean {
    return this.#process.alive;
  }

  /** Returns a figure of /proc/PID/status in bytes: VmRSS is resident memory, VmHWM its peak. */
  memory(name: "VmRSS" | "VmHWM"): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "utf8");
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1]) * 1024;
  }

  /** Counts the sockets of the process without standard output, which is a socket that runtimes duplicate. */
  sockets(): number {
    const directory = `/proc/${this.pid}/fd`;
    const sockets = new Set<string>();
    const standard = ["1", "2"].map((name) => readlinkSync(`${directory}/${name}`));
    for (const name of readdirSync(directory)) {
      try {
        const target = readlinkSync(`${directory}/${name}`);
        if (target.startsWith("socket:") && !standard.includes(target)) sockets.add(target);
      } catch {
        // It was closed since.
      }
    }
    return sockets.size;
  }

  /** Sends a signal. */
  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Waits until the process ends by itself; throws if it does not. */
  async exit(deadline: number): Promise<Exit> {
    let ended: Exit | undefined;
    this.exited.then((exit) => ended = exit);
    await until("the process to end by itself", () => ended !== undefined, deadline, () => this.output);
    return ended as Exit;
  }

  /** Ends the process and waits until it is gone. */
  stop(): Promise<void> {
    return this.#process.stop();
  }
}

/** Calls `run` with a cell, and always ends it. */
export async function withCell(
  plan: CellPlan,
  options: StartOptions,
  run: (cell: Cell) => Promise<void>,
): Promise<void> {
  const cell = await Cell.start(plan, options);
  try {
    await run(cell);
  } finally {
    await cell.stop();
  }
}

/** Waits until a condition holds. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  deadline = 20_000,
  more: () => string = () => "",
): Promise<void> {
  for (const end = performance.now() + deadline; !await holds(); await pause(5)) {
    if (performance.now() > end) throw new Error(`Waited ${deadline} ms for ${what} ${more()}`);
  }
}

/** Bytes in MiB, with one digit. */
export function mib(bytes: number): string {
  return (bytes / 1048576).toFixed(1);
}
