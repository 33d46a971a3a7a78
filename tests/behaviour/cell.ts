/**
 * A cell: one runtime, one way of serving, one process with a server for each variant of the application.
 *
 * The process is asked for nothing but a line with its ports; everything else goes over HTTP. It ends with the pipe
 * of its parent's signal, by pid. What it writes to standard error is kept: a crash must say why.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { VariantName } from "./apps/app.ts";
import { type Memory, ServedMemory } from "./memory.ts";

/** How a cell is run. */
export interface CellPlan {
  readonly name: string;
  /** Who parses HTTP: our wire over sockets, the host, or a front end before our wire. */
  readonly kind: "socket" | "fetch" | "front";
  readonly runtime: "node" | "deno" | "bun";
  readonly runner: string;
  /** Behind a front end: what it speaks to us. */
  readonly protocol?: "http" | "fastcgi" | "scgi" | "uwsgi" | "cgi";
  /** Further names by which a case can leave the cell out: of the front end, its program, the protocol. */
  readonly labels?: readonly string[];
}

/** A cell that runs: what a trial needs of it. */
export interface RunningCell {
  readonly plan: CellPlan;
  /** Where a client connects, for each variant. */
  readonly ports: Readonly<Record<VariantName, number>>;
  /** What SERVER_PORT says. */
  readonly serverPort: number;
  /** What the applications remember. */
  readonly memory: Memory;
  /** Whether all of its processes still run. */
  readonly alive: boolean;
  /** What the server under test wrote to standard error. */
  readonly stderr: string;
  /** What is to be shown when a case fails. */
  readonly report: string;
  stop(): Promise<void>;
}

/** The seven cells. */
export const cellPlans: readonly CellPlan[] = [
  { name: "node", kind: "socket", runtime: "node", runner: "node.ts" },
  { name: "deno", kind: "socket", runtime: "deno", runner: "deno.ts" },
  { name: "bun", kind: "socket", runtime: "bun", runner: "bun.ts" },
  { name: "deno-node", kind: "socket", runtime: "deno", runner: "deno_node.ts" },
  { name: "bun-node", kind: "socket", runtime: "bun", runner: "bun_node.ts" },
  { name: "deno-fetch", kind: "fetch", runtime: "deno", runner: "deno_fetch.ts" },
  { name: "bun-fetch", kind: "fetch", runtime: "bun", runner: "bun_fetch.ts" },
];

const flags: Readonly<Record<CellPlan["runtime"], readonly string[]>> = {
  node: [],
  // No type check, no lock file, no prompt: what is tested is the code, with the permissions a server needs.
  deno: ["run", "--no-prompt", "--no-lock", "--no-check", "--allow-net", "--allow-env", "--allow-read", "--allow-sys"],
  bun: ["--no-env-file"],
};

/** What a runner prints. */
interface Announced {
  readonly ports: Readonly<Record<VariantName, number>>;
  /** A port of plain HTTP. */
  readonly control: number;
}

/** A cell of one process. */
export class Cell implements RunningCell {
  readonly plan: CellPlan;
  readonly ports: Readonly<Record<VariantName, number>>;
  readonly memory: Memory;
  #child: ChildProcess;
  #stderr: () => string;

  private constructor(
    plan: CellPlan,
    { ports, control }: Announced,
    child: ChildProcess,
    stderr: () => string,
  ) {
    this.plan = plan;
    this.ports = ports;
    this.memory = new ServedMemory(control);
    this.#child = child;
    this.#stderr = stderr;
  }

  /** Spawns a cell and waits for its ports. */
  static start(plan: CellPlan): Promise<Cell> {
    const binary = fileURLToPath(new URL(`../../node_modules/.bin/${plan.runtime}`, import.meta.url));
    if (!existsSync(binary)) return Promise.reject(new Error(`Cell ${plan.name}: there is no ${binary}`));
    const runner = fileURLToPath(new URL(`./runners/${plan.runner}`, import.meta.url));
    const child = spawn(binary, [...flags[plan.runtime], runner], {
      stdio: ["ignore", "pipe", "pipe"],
      env: plan.protocol === undefined ? process.env : { ...process.env, TSGI_PROTOCOL: plan.protocol },
    });
    let out = "";
    let err = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => err += text);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => fail("no port line within 30 s"), 30_000);
      const fail = (why: string): void => {
        clearTimeout(timer);
        child.kill("SIGKILL");
        reject(new Error(`Cell ${plan.name}: ${why}\nstdout: ${out}\nstderr: ${err}`));
      };
      child.on("error", (error) => fail(error.message));
      child.on("exit", (code, signal) => fail(`exited with ${code ?? signal}`));
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        out += text;
        const line = /^\{"port".*\}$/m.exec(out);
        if (line === null) return;
        clearTimeout(timer);
        child.removeAllListeners("exit");
        resolve(new Cell(plan, JSON.parse(line[0]) as Announced, child, () => err));
      });
    });
  }

  /** Whether the process still runs. */
  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get serverPort(): number {
    return this.ports.main;
  }

  /** What the process wrote to standard error. */
  get stderr(): string {
    return this.#stderr();
  }

  get report(): string {
    return this.stderr;
  }

  /** Ends the process and waits until it has gone. */
  async stop(): Promise<void> {
    if (!this.alive) return;
    const gone = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
    this.#child.kill("SIGKILL");
    await gone;
  }
}
