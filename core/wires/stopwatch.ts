/**
 * How long has one and the same thing been waited for?
 *
 * Time-outs come from one coarse tick per server, not from a timer per request: at each tick a connection says what it
 * waits for, and how far it has come. While neither changes, time adds up; a change begins it anew. So the hot path
 * pays nothing, and a time-out fires at its nominal time or up to two ticks later, never before.
 *
 * @module
 */

/** Adds up the time in which nothing changed. */
export class Stopwatch {
  #what = -1;
  #progress = 0;
  #since = 0;

  /**
   * Milliseconds for which `what` has been waited for without progress.
   *
   * @param now The clock of the tick.
   * @param what Any number that names what is waited for.
   * @param progress Any number that changes when there is progress.
   *
   * @example
   * ```ts
   * import { Stopwatch } from "./stopwatch.ts";
   * const watch = new Stopwatch();
   * watch.waited(0, 1, 0);
   * console.assert(watch.waited(500, 1, 0) === 500 && watch.waited(900, 1, 7) === 0);
   * ```
   */
  waited(now: number, what: number, progress: number): number {
    if (what !== this.#what || progress !== this.#progress) {
      this.#what = what;
      this.#progress = progress;
      this.#since = now;
    }
    return now - this.#since;
  }
}
