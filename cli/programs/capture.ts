/**
 * Captures a program's calls to listen: the first names what the program serves, `--extra-listen` decides on the
 * others.
 *
 * @module
 */

import { writeSync } from "node:fs";
import process from "node:process";
import type { Bind } from "../bind.ts";
import { refuseCluster } from "./cluster.ts";
import { ProgramEnding } from "./ending.ts";
import { captureNodeListen, refuseSecureServers } from "./node_listen.ts";
import { type Capture, type ExtraListen, ProgramError, type Restore, type Served } from "./program.ts";

const EXPORT = "the exported application"; // is served, rather than what a call names

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
  /** Controls the end of the program; only in a worker. */
  readonly ending: ProgramEnding | undefined;
  readonly #options: CaptureOptions;
  #first: string | undefined; // description of the first call
  #closes = false;
  #serve: (served: Served) => void = () => {};
  #drained: () => void = () => {};
  #restore: readonly Restore[] = [];

  /** Holds the program's exit and signals, in a worker; `start` replaces the functions that listen. */
  private constructor(options: CaptureOptions) {
    this.bind = options.bind;
    this.#options = options;
    this.ending = options.stopping === undefined ? undefined : new ProgramEnding(options.stopping);
    this.served = new Promise((resolve) => this.#serve = resolve);
    this.drained = new Promise((resolve) => this.#drained = resolve);
  }

  /** Replaces the calls of this runtime. */
  static async start(options: CaptureOptions): Promise<ListenCapture> {
    const capture = new ListenCapture(options);
    captureNodeListen(capture);
    const restore = [refuseSecureServers(capture), refuseCluster()];
    if (process.versions.deno !== undefined) {
      restore.push((await import("./deno_serve.ts")).captureDenoServe(capture));
      if (capture.ending !== undefined) restore.push((await import("./deno_signals.ts")).captureDenoSignals());
    } else if (process.versions.bun !== undefined) {
      restore.push((await import("./bun_serve.ts")).captureBunServe(capture));
    }
    capture.#restore = restore;
    return capture;
  }

  /** Whether the program has listened. */
  get listened(): boolean {
    return this.#first !== undefined;
  }

  /** The module exports an application, which is served whatever the module listens with later. */
  servesExport(): void {
    this.#first = EXPORT;
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
    if (this.#first === undefined) {
      this.#first = what;
      this.#serve(served);
      return true;
    }
    if (this.#first === EXPORT && this.#options.extraListen === "refuse") {
      writeSync(
        2,
        `tsgi: The module exports an application, which is served, and calls ${what}, which has no effect. With ` +
          "--app-type program what listens is served, with --extra-listen allow each worker really listens there\n",
      );
      return true;
    }
    if (again || this.#options.extraListen === "ignore") return true;
    if (this.#options.extraListen === "allow") return false;
    throw new ProgramError(
      `The program listens a second time: ${what}, after ${this.#first}, which the command serves. ` +
        "With --extra-listen allow each worker really listens there, with --extra-listen ignore none does",
    );
  }

  closes(): void {
    this.#closes = true;
    this.#options.closed();
  }
}
