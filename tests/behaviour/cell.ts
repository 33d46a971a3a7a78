/**
 * A cell: one runtime and one way of serving, as a process with a server for each variant of the application.
 *
 * The process prints a line with its ports; everything else goes over HTTP. It is ended by a signal to its pid. Its
 * standard error is kept, so that a crash shows its reason.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { type Runtime, ServerProcess } from "../server_process.ts";
import { Certificates } from "../tls/certificates.ts";
import type { VariantName } from "./apps/app.ts";
import { type Memory, ServedMemory } from "./memory.ts";

/** How a cell is run. */
export interface CellPlan {
  readonly name: string;
  /** What parses HTTP: our wire over sockets, the host, or a front end before our wire. */
  readonly kind: "socket" | "fetch" | "front";
  readonly runtime: Runtime;
  readonly runner: string;
  /** The protocol that the front end speaks to us. */
  readonly protocol?: "http" | "fastcgi" | "scgi" | "uwsgi" | "cgi";
  /** Whether it speaks TLS with its clients. */
  readonly tls?: true;
  /** Further names under which a case can exclude the cell: the front end, its program, the protocol. */
  readonly labels?: readonly string[];
}

/** A running cell, as a trial uses it. */
export interface RunningCell {
  readonly plan: CellPlan;
  /** The port of each variant. */
  readonly ports: Readonly<Record<VariantName, number>>;
  /** The certificate that signed that of the cell, if it speaks TLS. */
  readonly ca?: string | undefined;
  /** The expected SERVER_PORT. */
  readonly serverPort: number;
  /** The records of the applications. */
  readonly memory: Memory;
  /** Whether all of its processes still run. */
  readonly alive: boolean;
  /** What the server under test wrote to standard error. */
  readonly stderr: string;
  /** The text to show when a case fails. */
  readonly report: string;
  stop(): Promise<void>;
}

/** The ten cells. */
export const cellPlans: readonly CellPlan[] = [
  { name: "node", kind: "socket", runtime: "node", runner: "node.ts" },
  { name: "deno", kind: "socket", runtime: "deno", runner: "deno.ts" },
  { name: "bun", kind: "socket", runtime: "bun", runner: "bun.ts" },
  { name: "deno-node", kind: "socket", runtime: "deno", runner: "deno_node.ts" },
  { name: "bun-node", kind: "socket", runtime: "bun", runner: "bun_node.ts" },
  { name: "node-tls", kind: "socket", runtime: "node", runner: "node.ts", tls: true, labels: ["tls"] },
  { name: "deno-tls", kind: "socket", runtime: "deno", runner: "deno.ts", tls: true, labels: ["tls"] },
  { name: "bun-tls", kind: "socket", runtime: "bun", runner: "bun.ts", tls: true, labels: ["tls"] },
  { name: "deno-fetch", kind: "fetch", runtime: "deno", runner: "deno_fetch.ts" },
  { name: "bun-fetch", kind: "fetch", runtime: "bun", runner: "bun_fetch.ts" },
];

/** The permissions that a server needs on Deno. */
const FLAGS = ["--allow-net", "--allow-env", "--allow-read", "--allow-sys"];

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
  readonly ca: string | undefined;
  readonly #process: ServerProcess;

  private constructor(plan: CellPlan, process: ServerProcess, ca: string | undefined) {
    const { ports, control } = JSON.parse(process.ready[0]) as Announced;
    this.plan = plan;
    this.ports = ports;
    this.memory = new ServedMemory(control);
    this.ca = ca;
    this.#process = process;
  }

  /** Spawns a cell and waits for its ports. */
  static async start(plan: CellPlan): Promise<Cell> {
    const certificates = plan.tls === true ? new Certificates() : undefined;
    try {
      const tls = certificates?.signed("site", { names: ["DNS:localhost", "IP:127.0.0.1"] });
      const env: Record<string, string> = {
        ...(plan.protocol === undefined ? {} : { TSGI_PROTOCOL: plan.protocol }),
        ...(tls === undefined ? {} : { TSGI_TLS: JSON.stringify(tls) }),
      };
      const runner = `tests/behaviour/runners/${plan.runner}`;
      const ready = /^\{"port".*\}$/m;
      const process = await ServerProcess.start(plan.runtime, runner, ready, { flags: FLAGS, env });
      return new Cell(plan, process, certificates && readFileSync(certificates.ca, "utf8"));
    } finally {
      certificates?.remove(); // the server has read them
    }
  }

  /** Whether the process still runs. */
  get alive(): boolean {
    return this.#process.alive;
  }

  get serverPort(): number {
    return this.ports.main;
  }

  /** What the process wrote to standard error. */
  get stderr(): string {
    return this.#process.stderr;
  }

  get report(): string {
    return this.stderr;
  }

  /** Ends the process and waits until it has gone. */
  stop(): Promise<void> {
    return this.#process.stop();
  }
}
