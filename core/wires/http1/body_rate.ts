/**
 * Does a request body come fast enough?
 *
 * A client that sends a byte just before each time-out is never late, and holds a connection for as long as it likes. So
 * a body has an account of time. It begins with the grace. Waiting for the body spends the time that passes; each byte
 * earns the time that it may take at the minimum rate. A body whose account is empty is too slow.
 *
 * The account never holds more than `bodyTimeout`, or the grace where that is longer: a client that was fast may pause
 * for as long as any other, but a fast beginning does not pay for hours of trickling.
 *
 * Only time in which the application waits counts, from one tick to the next: a slow application is not the client's
 * fault. Blocks cost nothing, since bytes are counted anyway.
 *
 * @module
 */

/** The settings of a {@linkcode BodyRate}. */
export interface BodyRateRules {
  /** Bytes a second; 0 for no rate at all. */
  readonly minBodyRate: number;
  /** Seconds that a body begins with. */
  readonly minBodyRateGrace: number;
  /** Seconds without a byte that are allowed anyway. */
  readonly bodyTimeout: number;
}

/** The account of the bodies of one connection. */
export class BodyRate {
  readonly #rules: BodyRateRules;
  #request = -1;
  #left = 0; // ms
  #bytes = 0;
  #now = 0;
  #awaited = false;

  /** An account for bodies, one after the other. */
  constructor(rules: BodyRateRules) {
    this.#rules = rules;
  }

  /**
   * Whether a body is too slow, asked at a tick.
   *
   * @param now The clock of the tick.
   * @param request A number of the request, which each body has its own of.
   * @param bytes How much has arrived: a number that grows with each byte.
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
