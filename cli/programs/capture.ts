/**
 * Captures a module's calls to listen. A worker serves one thing: what the first call names, or an application that the
 * module exports. `--extra-listen` decides what becomes of every other call.
 *
 * @module
 */

import { writeSync } from "node:fs";
import process from "node:process";
import type { Bind } from "../bind.ts";
import type { ProgramEnding } from "./ending.ts";
import { captureNodeListen } from "./node_listen.ts";
import { type Capture, type ExtraListen, ProgramError, type Restore, type Served } from "./program.ts";

/** What the worker serves, as far as it is decided. */
type Decision =
  | { readonly kind: "open" }
  /** What a call to listen names; `what` describes the call. */
  | { readonly kind: "call"; readonly what: string; readonly served: Served }
  /** What the module exports. */
  | { readonly kind: "export" };

/** What a capture is told. */
export interface CaptureOptions {
  /** The address that the program sees as the one it listens on. */
  readonly bind: Bind;
  /** What happens at a call after the first one. */
  readonly extraListen: ExtraListen;
  /** Returns the number of open connections. */
  readonly connections: () => number;
  /** Called when the program closes its server by itself. */
  readonly closed: () => void;
  /** Returns whether the worker is stopping. A worker passes it; it then waits for the program's end. */
  readonly stopping?: () => boolean;
}

/** Replaces the functions by which programs listen. */
export class ListenCapture implements Capture {
  readonly bind: Bind;
  readonly drained: Promise<void>;
  /** Settles at the first call, with what it serves. */
  readonly served: Promise<Served>;
  /** Controls the end of the program; only of a program in a worker. */
  ending: ProgramEnding | undefined;
  readonly #options: CaptureOptions;
  #decision: Decision = { kind: "open" };
  #closes = false;
  #serve: (served: Served) => void = () => {};
  #drained: () => void = () => {};
  #restore: Restore[] = []; // of what only a program must not do

  private constructor(options: CaptureOptions) {
    this.bind = options.bind;
    this.#options = options;
    this.served = new Promise((resolve) => this.#serve = resolve);
    this.drained = new Promise((resolve) => this.#drained = resolve);
  }

  /** Starts the capture for a module that may be a program. In a worker it holds the program's exit and signals. */
  static async ofProgram(options: CaptureOptions): Promise<ListenCapture> {
    const capture = new ListenCapture(options);
    const { stopping } = options;
    if (stopping !== undefined) capture.ending = new (await import("./ending.ts")).ProgramEnding(stopping);
    const { refuseCluster } = await import("./cluster.ts");
    const { refuseSecureServers } = await import("./secure_servers.ts");
    capture.#restore = [refuseSecureServers(capture), refuseCluster()];
    if (process.versions.deno !== undefined && capture.ending !== undefined) {
      capture.#restore.push((await import("./deno_signals.ts")).captureDenoSignals());
    }
    await capture.#replaceCalls();
    return capture;
  }

  /** Starts the capture for a module whose export is served, whatever it listens with. */
  static async ofExport(options: CaptureOptions): Promise<ListenCapture> {
    const capture = new ListenCapture(options);
    capture.servesExport();
    await capture.#replaceCalls();
    return capture;
  }

  /** Replaces the calls of this runtime, for good. */
  async #replaceCalls(): Promise<void> {
    captureNodeListen(this);
    if (process.versions.deno !== undefined) (await import("./deno_serve.ts")).captureDenoServe(this);
    else if (process.versions.bun !== undefined) (await import("./bun_serve.ts")).captureBunServe(this);
  }

  /** Whether the module is a program: a call to listen names what is served. */
  get listened(): boolean {
    return this.#decision.kind === "call";
  }

  get decided(): boolean {
    return this.#decision.kind !== "open";
  }

  /** Decides that an export of the module is served, whatever the module listens with. */
  servesExport(): void {
    this.#decision = { kind: "export" };
    this.#restore.forEach((restore) => restore());
    this.#restore = [];
    this.ending?.restore();
  }

  /** The worker calls it when it has stopped serving; settles when the worker may exit. */
  async finish(): Promise<void> {
    this.#drained();
    await this.ending?.finish(() => this.#closes);
  }

  connections(): number {
    return this.#options.connections();
  }

  listens(what: string, served: Served, again: boolean = false): boolean {
    const decision = this.#decision;
    if (decision.kind === "open") {
      this.#decision = { kind: "call", what, served };
      this.#serve(served);
      return true;
    }
    if (again || this.#options.extraListen === "ignore") return true;
    if (this.#options.extraListen === "allow") return false;
    if (decision.kind === "export") {
      writeSync(
        2,
        `tsgi: The module exports an application, which is served, and calls ${what}, which has no effect. ` +
          "To serve what listens, name the module alone, with --app-type program; with --extra-listen allow each " +
          "worker really listens there\n",
      );
      return true;
    }
    throw new ProgramError(
      `The program listens a second time: ${what}, after ${decision.what}, which the command serves. ` +
        "With --extra-listen allow each worker really listens there, with --extra-listen ignore none does",
    );
  }

  closes(served: Served): Promise<void> {
    if (this.#decision.kind !== "call" || this.#decision.served !== served) return Promise.resolve();
    this.#closes = true;
    this.#options.closed();
    return this.drained;
  }
}
