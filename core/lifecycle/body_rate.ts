/**
 * Enforces a minimum rate for request bodies.
 *
 * A client that sends one byte just before each time-out is never late, and can hold a connection as long as it likes.
 * So each body has a time budget. It begins with the grace period. Waiting for the body uses it up, and each byte adds
 * the time that a byte takes at the minimum rate. A body whose budget is used up is too slow.
 *
 * The budget is never larger than `bodyTimeout`, or than the grace period if that is longer. A fast client may pause for
 * as long as any other, but a fast start does not allow hours of slow sending afterwards.
 *
 * Only the time in which the application waits counts, from one tick to the next: a slow application is not the client's
 * fault. There is no cost per block, since bytes are counted anyway.
 *
 * @module
 */

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
   * import { BodyRate } from "./body_rate.ts";
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
