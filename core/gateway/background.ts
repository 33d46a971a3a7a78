/**
 * Work that continues after responses: the promises that applications passed to `tsgi.request.waitUntil`.
 *
 * A server that shuts down, and a CGI script that ends, wait for these promises for as long as for running requests.
 *
 * @module
 */

/** The pending promises of one server. */
export class Background {
  readonly #running = new Set<PromiseLike<unknown>>();
  #idle: (() => void)[] = []; // called once none is pending

  /** Number of pending promises. */
  get size(): number {
    return this.#running.size;
  }

  /** Adds a promise. If it rejects, `failed` gets the error. */
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

  /** Calls `tell` once no promise is pending, which may be at once. */
  whenIdle(tell: () => void): void {
    if (this.#running.size === 0) tell();
    else this.#idle.push(tell);
  }
}
