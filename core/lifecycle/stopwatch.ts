/**
 * Measures time without progress.
 *
 * Time-outs use one coarse tick per server instead of a timer per request, so that the hot path has no cost. At each tick
 * a connection states what it waits for and how far that has come. The time adds up while neither changes; any change
 * restarts it. A time-out fires at its nominal time or up to two ticks later, never before.
 *
 * @module
 */

/** Measures the time since the last change. */
export class Stopwatch {
  #what = -1;
  #progress = 0;
  #since = 0;

  /**
   * Milliseconds since `what` or `progress` last changed.
   *
   * @param now The clock of the tick.
   * @param what Any number that identifies the event that the caller waits for.
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

  /**
   * Whether the client has taken none of the output that waits for `limit` milliseconds.
   *
   * @param now The clock of the tick.
   * @param buffered Bytes that wait in the transport.
   * @param written Bytes that were written to it.
   */
  stalled(now: number, buffered: number, written: number, limit: number): boolean {
    return this.waited(now, buffered > 0 ? 1 : 0, written - buffered) >= limit && buffered > 0;
  }
}
