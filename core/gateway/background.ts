/**
 * What goes on behind responses: the promises that applications gave to `tsgi.request.waitUntil`, until they settle.
 *
 * Whoever ends a server, or the process of a script, asks whether there are any, and waits for them as long as it waits
 * for running requests.
 *
 * @module
 */

/** The promises of one server. */
export class Background {
  readonly #running = new Set<PromiseLike<unknown>>();
  #idle: (() => void)[] = []; // who waits until there are none

  /** How many there are. */
  get size(): number {
    return this.#running.size;
  }

  /** Adds a promise; what it rejects with goes to `failed`. */
  add(promise: PromiseLike<unknown>, failed: (error: unknown) => void): void {
    const settled = (): void => {
      this.#running.delete(handled);
      if (this.#running.size > 0) return;
      const idle = this.#idle;
      this.#idle = [];
      for (const tell of idle) tell();
    };
    const handled: Promise<void> = Promise.resolve(promise).then(settled, (error) => {
      failed(error);
      settled();
    });
    this.#running.add(handled);
  }

  /** Calls `tell` once there are none: at once, or later. */
  whenIdle(tell: () => void): void {
    if (this.#running.size === 0) tell();
    else this.#idle.push(tell);
  }
}
