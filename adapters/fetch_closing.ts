/**
 * The end of a fetch handler, for which a host has no word: after the option `signal` has fired.
 *
 * It is that of a server with sockets as far as a handler can go: connections that are idle have `drainIdle` for one more
 * request, then there is no service, and what runs is cut at `gracefulTimeout`. No timer is left when nothing runs.
 *
 * @module
 */

import type { Settings } from "../core/server/options.ts";

const LONGEST = 2 ** 31 - 1; // ms that a timer can have

/** What can be cut. */
export interface Cuttable {
  /** There is no more time. */
  cut(): void;
}

/** A timer that fires after `seconds`, if a timer can have that many; the function that is returned clears it. */
export function after(seconds: number, callback: () => void): () => void {
  if (seconds * 1000 > LONGEST) return () => {};
  const timer = setTimeout(callback, seconds * 1000);
  return () => clearTimeout(timer);
}

/** Knows the requests that run, and what is to become of them and of new ones. */
export class FetchClosing {
  readonly #running = new Set<Cuttable>();
  readonly #gracefulTimeout: number;
  readonly #drainIdle: number;
  #fired = Infinity;
  #clear: (() => void) | undefined;

  /** Closes when `signal` fires. */
  constructor(signal: AbortSignal, { gracefulTimeout, drainIdle }: Pick<Settings, "gracefulTimeout" | "drainIdle">) {
    this.#gracefulTimeout = gracefulTimeout;
    this.#drainIdle = drainIdle;
    const fire = (): void => {
      this.#fired = performance.now();
      this.#watch();
    };
    if (signal.aborted) fire();
    else signal.addEventListener("abort", fire, { once: true });
  }

  /** Whether no more requests are served. */
  get closed(): boolean {
    return this.#fired !== Infinity && performance.now() >= this.#fired + this.#drainIdle * 1000;
  }

  /** A request begins. */
  enter(request: Cuttable): void {
    this.#running.add(request);
    this.#watch();
  }

  /** A request has ended. */
  leave(request: Cuttable): void {
    this.#running.delete(request);
    if (this.#running.size > 0) return;
    this.#clear?.();
    this.#clear = undefined;
  }

  #watch(): void {
    if (this.#fired === Infinity || this.#running.size === 0) return;
    const left = this.#fired / 1000 + this.#gracefulTimeout - performance.now() / 1000;
    this.#clear ??= after(Math.max(0, left), () => {
      this.#clear = undefined;
      for (const request of [...this.#running]) request.cut();
    });
  }
}
