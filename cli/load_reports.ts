/**
 * What the log says when the application does not load.
 *
 * A user who has made a mistake in the application is to see that mistake, once, and nothing around it. So at the start the
 * lines about normal events are kept back until a worker is ready, or for some seconds: if no worker loads the application
 * within that time, the reason is all that is logged. All workers mostly have the same reason, so they send it to the
 * arbiter, which logs each reason once.
 *
 * @module
 */

import type { Log } from "./log.ts";

const QUIET_START = 5000; // ms

/** The reports of one command. */
export class LoadReports {
  readonly #log: Log;
  readonly #reasons = new Set<string>();
  #holds = true;

  /** Keeps the lines about the start back. */
  constructor(log: Log) {
    this.#log = log;
    log.hold();
    setTimeout(() => this.showStart(), QUIET_START).unref();
  }

  /** A worker has not loaded the application. */
  add(reason: string): void {
    if (this.#reasons.has(reason)) return;
    this.#reasons.add(reason);
    if (!this.#holds) this.#log.error(reason);
  }

  /** Logs what was kept back: the command serves, takes longer, or has something else to say. */
  showStart(): void {
    if (!this.#holds) return;
    this.#holds = false;
    this.#log.release();
    for (const reason of this.#reasons) this.#log.error(reason);
  }

  /** The command gives up. @returns whether the reasons are all that is to be logged. */
  giveUp(): boolean {
    const quiet = this.#holds && this.#reasons.size > 0;
    if (quiet) this.#log.drop();
    this.showStart();
    return quiet;
  }

  /** Another try begins, or all workers are ready: a reason is news again. */
  forget(): void {
    if (!this.#holds) this.#reasons.clear();
  }
}
