/**
 * A cell behind a front end: a runner process that speaks the front end's protocol, and an instance of the front end
 * with the documented config once for each variant of the application, each on a port of its own.
 *
 * @module
 */

import type { VariantName } from "../behaviour/apps/app.ts";
import { Cell, type RunningCell } from "../behaviour/cell.ts";
import type { Memory } from "../behaviour/memory.ts";
import { block, enabledModules, substituted } from "./documented.ts";
import type { Front, FrontPlan } from "./fronts.ts";
import { Instance } from "./instance.ts";
import { apache, nginx } from "./programs.ts";

/** The example values of the pages: where the front end listens, where tsgi does, and what its config calls it. */
const BACKEND = { http: "127.0.0.1:8000", fastcgi: "127.0.0.1:9000", scgi: "127.0.0.1:4000", uwsgi: "127.0.0.1:3031" };

function values(front: Front, variant: string, port: number, backend: number): Record<string, string> {
  const address = { [BACKEND[front.protocol as keyof typeof BACKEND]]: `127.0.0.1:${backend}` };
  return front.program === "nginx"
    ? { "listen 80;": `listen 127.0.0.1:${port};`, tsgi_app: `tsgi_app_${variant}`, ...address }
    : { "*:80": `127.0.0.1:${port}`, ...address };
}

/** Starts a front end with one server for each variant. */
function startFront(front: Front, backends: Readonly<Record<VariantName, number>>): Promise<Instance> {
  const documented = block(front.page, front.program);
  const variants = Object.entries(backends);
  return Instance.start({
    name: front.name,
    ports: variants.length,
    errorLog: "error.log",
    prepare: (directory, ports) => {
      const servers = variants.map(([variant, backend], i) =>
        substituted(documented, values(front, variant, ports[i]!, backend))
      ).join("\n");
      return front.program === "nginx"
        ? nginx(directory, servers)
        : apache(directory, servers, enabledModules(front.page), ports);
    },
  });
}

/** A runner and a front end. */
export class FrontCell implements RunningCell {
  readonly plan: FrontPlan;
  readonly ports: Readonly<Record<VariantName, number>>;
  readonly memory: Memory;
  readonly #backend: Cell;
  readonly #front: Instance;

  private constructor(plan: FrontPlan, backend: Cell, front: Instance) {
    this.plan = plan;
    this.memory = backend.memory;
    this.#backend = backend;
    this.#front = front;
    this.ports = portsOf(backend.ports, front);
  }

  /** Starts the runner, then the front end. */
  static async start(plan: FrontPlan): Promise<RunningCell> {
    const backend = await Cell.start(plan);
    try {
      return new FrontCell(plan, backend, await startFront(plan.front, backend.ports));
    } catch (error) {
      await backend.stop();
      throw error;
    }
  }

  get serverPort(): number {
    return this.plan.protocol === "http" ? this.#backend.ports.main : this.ports.main;
  }

  get alive(): boolean {
    return this.#backend.alive && this.#front.alive;
  }

  get stderr(): string {
    return this.#backend.stderr;
  }

  get report(): string {
    return `${this.stderr}\n${this.plan.front.name} wrote:\n${this.#front.log.slice(-4000)}`;
  }

  async stop(): Promise<void> {
    await Promise.all([this.#front.stop(), this.#backend.stop()]);
  }
}

/** The front end's ports by variant, in the order of the variants. */
function portsOf(variants: Readonly<Record<VariantName, unknown>>, front: Instance): Record<VariantName, number> {
  return Object.fromEntries(Object.keys(variants).map((name, i) => [name, front.ports[i]!])) as Record<
    VariantName,
    number
  >;
}
