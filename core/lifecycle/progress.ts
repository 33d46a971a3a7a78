/**
 * Measures the progress of a connection: the time without any, and the rate of a request body.
 *
 * Time-outs use one coarse tick per server instead of a timer per request, so that the hot path has no cost. At each tick
 * a connection states what it waits for and how far that has come. A {@linkcode Stopwatch} adds up the time while neither
 * changes; any change restarts it. A time-out fires at its nominal time or up to two ticks later, never before.
 *
 * A client that sends one byte just before each time-out is never late, and could hold a connection as long as it likes.
 * So each body has a time budget, a {@linkcode BodyRate}. It begins with the grace period. Waiting for the body uses it
 * up, and each byte adds the time that a byte takes at the minimum rate. A body whose budget is used up is too slow.
 *
 * The budget is never larger than `bodyTimeout`, or than the grace period if that is longer. A fast client may pause for
 * as long as any other, but a fast start does not allow hours of slow sending afterwards.
 *
 * Only the time in which the application waits counts, from one tick to the next: a slow application is not the client's
 * fault. There is no cost per block, since bytes are counted anyway.
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
   * import { Stopwatch } from "./progress.ts";
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

/** The settings of a {@linkcode BodyRate}. */
export interface BodyRateRules {
  /** Bytes per second; 0 switches the check off. */
  readonly minBodyRate: number;
  /** The initial budget of a body, in seconds. */
  readonly minBodyRateGrace: number;
  /** Seconds without a byte that every client is allowed. */
  readonly bodyTimeout: number;
}

/** The budget of the current body of one connection. */
export class BodyRate {
  readonly #rules: BodyRateRules;
  #request = -1;
  #left = 0; // ms
  #bytes = 0;
  #now = 0;
  #awaited = false;

  /** A budget for bodies, one after the other. */
  constructor(rules: BodyRateRules) {
    this.#rules = rules;
  }

  /**
   * Whether a body is too slow. Called at each tick.
   *
   * @param now The clock of the tick.
   * @param request A number that is different for each request of the connection.
   * @param bytes A count of the bytes that have arrived.
   * @param awaited Whether the application waits for the body, and the client can send.
   *
   * @example
   * ```ts
   * import { BodyRate } from "./progress.ts";
   * const rate = new BodyRate({ minBodyRate: 100, minBodyRateGrace: 2, bodyTimeout: 60 });
   * console.assert(!rate.tooSlow(0, 1, 0, true) && !rate.tooSlow(2000, 1, 100, true));
   * console.assert(!rate.tooSlow(2500, 1, 100, true) && rate.tooSlow(4000, 1, 150, true));
   * ```
   */
  tooSlow(now: number, request: number, bytes: number, awaited: boolean): boolean {
    const { minBodyRate, minBodyRateGrace, bodyTimeout } = this.#rules;
    if (minBodyRate === 0) return false;
    if (request === this.#request) {
      const earned = (bytes - this.#bytes) / minBodyRate * 1000;
      const spent = awaited && this.#awaited ? now - this.#now : 0;
      this.#left = Math.min(this.#left + earned - spent, Math.max(minBodyRateGrace, bodyTimeout) * 1000);
    } else {
      this.#request = request;
      this.#left = minBodyRateGrace * 1000;
    }
    this.#bytes = bytes;
    this.#now = now;
    this.#awaited = awaited;
    return awaited && this.#left <= 0;
  }
}
