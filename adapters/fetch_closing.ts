/**
 * Graceful shutdown of a fetch handler, started by the option `signal`. Fetch hosts have no event for it.
 *
 * The steps are those of a server with sockets, as far as a handler can follow them. For `drainIdle` after the signal,
 * new requests are still served, since idle connections may send one more. After that, requests are refused. Requests
 * that still run at `gracefulTimeout` are cut. When nothing runs, no timer is left.
 *
 * @module
 */

import type { Settings } from "../core/server/options.ts";

const LONGEST = 2 ** 31 - 1; // ms that a timer can have

/** A request that can be cut. */
export interface Cuttable {
  /** Ends the request now, because its time is up. */
  cut(): void;
}

/** Starts a timer, unless `seconds` is more than a timer can have. Returns a function that clears it. */
export function after(seconds: number, callback: () => void): () => void {
  if (seconds * 1000 > LONGEST) return () => {};
  const timer = setTimeout(callback, seconds * 1000);
  return () => clearTimeout(timer);
}

/** Tracks the running requests, cuts them at the deadline, and tells when new ones are refused. */
export class FetchClosing {
  readonly #running = new Set<Cuttable>();
  readonly #gracefulTimeout: number;
  readonly #drainIdle: number;
  #fired = Infinity;
  #clear: (() => void) | undefined;

  /** Starts the shutdown when `signal` fires. */
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

  /** Whether new requests are refused. */
  get closed(): boolean {
    return this.#fired !== Infinity && performance.now() >= this.#fired + this.#drainIdle * 1000;
  }

  /** Adds a request that begins. */
  enter(request: Cuttable): void {
    this.#running.add(request);
    this.#watch();
  }

  /** Removes a request that has ended. */
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
