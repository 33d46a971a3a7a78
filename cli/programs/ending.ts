/**
 * Ends a program in order while its worker stops. Each event on the left leads to the step on the right:
 *
 *     the worker gets the signal   it accepts no more connections; requests still come over open connections
 *     no new request can come      the program gets the signal
 *     the requests are done        the program's server is closed
 *     the program has ended        the worker exits
 *
 * A program that has closed its server, or listens for the signal, may have more to do after its server is closed:
 * `server.close(async () => { await db.end(); process.exit() })`. The program is done when it exits, or when nothing is
 * left that the event loop would wait for.
 *
 * @module
 */

import process from "node:process";
import { type HeldExit, holdExit } from "./exit.ts";
import { HeldSignals, type StopSignal } from "./held_signals.ts";

/** Controls the end of a program. */
export class ProgramEnding {
  readonly #exit: HeldExit;
  readonly #signals: HeldSignals = new HeldSignals();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #signal: StopSignal | undefined; // the signal that the program gets, or has got
  #told = false;

  /** Holds the program's exit and its signal listeners; `stopping` returns whether the worker is stopping. */
  constructor(stopping: () => boolean) {
    this.#exit = holdExit(stopping);
  }

  /** Undoes all replacements: the module is not a program. */
  restore(): void {
    this.#signals.restore();
    this.#exit.restore();
  }

  /** Notes that the worker has got a signal, and that after this many milliseconds no new request can come. */
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

  /** Waits for the end of the program, once its requests are done. `closing`: whether it has closed its server. */
  async finish(closing: () => boolean): Promise<void> {
    clearTimeout(this.#timer);
    const listens = this.#signal !== undefined && this.#signals.listensFor(this.#signal);
    this.#tell();
    await new Promise((resolve) => setImmediate(resolve));
    if (listens || closing()) await Promise.race([this.#exit.called, nothingLeft()]);
  }

  /** Exits at once, with the status that the program has passed to its exit, else with this one. */
  exit(code: number): void {
    this.#exit.exit(code);
  }
}

/** Unrefs the channel to the arbiter, and settles when nothing is left that the event loop would wait for. */
function nothingLeft(): Promise<void> {
  const { channel } = process as { channel?: { unref?: () => void } };
  channel?.unref?.();
  return new Promise((resolve) => process.once("beforeExit", () => resolve()));
}
