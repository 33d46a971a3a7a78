/**
 * How a program ends while its worker stops.
 *
 *     the signal                   the worker accepts no more; clients still send over connections that they keep
 *     no new request can come      the program hears of the signal
 *     the requests are done        its server is closed
 *     it has ended itself          the worker exits
 *
 * A program that has closed its server, or listens for the signal, may have more to do when its server is closed:
 * `server.close(async () => { await db.end(); process.exit() })`. It tells that it is done by its exit, or by having nothing
 * left that the event loop would wait for.
 *
 * @module
 */

import process from "node:process";
import { type HeldExit, holdExit } from "./exit.ts";
import { HeldSignals, type StopSignal } from "./held_signals.ts";

/** The end of a program. */
export class ProgramEnding {
  readonly #exit: HeldExit;
  readonly #signals: HeldSignals = new HeldSignals();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #signal: StopSignal | undefined; // that the program is to hear of, or has heard of
  #told = false;

  /** Holds what a program ends itself with; `stopping` says whether its worker stops. */
  constructor(stopping: () => boolean) {
    this.#exit = holdExit(stopping);
  }

  /** It is no program. */
  restore(): void {
    this.#signals.restore();
    this.#exit.restore();
  }

  /** The worker has got a signal; in this many milliseconds no new request can come. */
  signalled(name: StopSignal, milliseconds: number): void {
    this.#signal ??= name;
    clearTimeout(this.#timer);
    if (milliseconds === 0) this.#tell();
    else this.#timer = setTimeout(() => this.#tell(), milliseconds);
  }

  #tell(): void {
    if (this.#told || this.#signal === undefined) return;
    this.#told = true;
    this.#signals.tell(this.#signal);
  }

  /** The requests are done: settles when the program is, too. `closing` says whether it has closed its server. */
  async finish(closing: () => boolean): Promise<void> {
    clearTimeout(this.#timer);
    const listens = this.#signal !== undefined && this.#signals.listensFor(this.#signal);
    this.#tell();
    await new Promise((resolve) => setImmediate(resolve));
    if (listens || closing()) await Promise.race([this.#exit.called, nothingLeft()]);
  }

  /** Exits at once, with the status that the program has named, else with this one. */
  exit(code: number): void {
    this.#exit.exit(code);
  }
}

/** Lets the channel to the arbiter go, and settles when nothing is left that the event loop would wait for. */
function nothingLeft(): Promise<void> {
  const { channel } = process as { channel?: { unref?: () => void } };
  channel?.unref?.();
  return new Promise((resolve) => process.once("beforeExit", () => resolve()));
}
