/**
 * Pulls the blocks of a body from its iterator, and hands each to the invocation, which sends it.
 *
 * A pump pulls one block at a time, and none while the client is slow. After each MiB other connections get a turn of the
 * event loop. For a synchronous iterator it creates no promise while the client keeps up. A body of one block needs no
 * pump.
 *
 * @module
 */

import type { Exchange } from "../seams.ts";

/** Pull another block. */
export const GO = 0;
/** Pull another block once the client has taken what was sent. */
export const WAIT = 1;
/** Pull no more: the response needs no further block. */
export const STOP = 2;
/** How a pump continues after a block. */
export type Verdict = typeof GO | typeof WAIT | typeof STOP;

/** The invocation, as the pump of its body sees it. */
export interface Pumped {
  /** The receiver of the response; undefined once it has ended or the client is gone. */
  readonly exchange: Exchange | undefined;
  /** Whether `write()` has sent more than the client takes, so that no block may be pulled yet. */
  readonly isWaiting: boolean;
  /** Sends a block, and says how to continue. */
  take(chunk: unknown): Verdict;
  /** Calls `resume` when output is below the high-water mark. */
  whenDrained(resume: () => void): void;
  /** Whether the body has used its share of this turn of the event loop. */
  turnIsOver(): boolean;
  /** Calls `resume` in a later turn of the event loop. */
  nextTurn(resume: () => void): void;
  /** The body is exhausted, or needs no further block. */
  complete(): void;
  /** Pulling or sending a block threw. */
  fail(error: unknown): void;
  /** There is no exchange any more. */
  release(): void;
}

/** Pulls one body. */
export class Pump {
  readonly #to: Pumped;
  #iterator: Iterator<unknown> | AsyncIterator<unknown> | undefined; // undefined once it is exhausted or has thrown
  #inside = false;

  /** Call `pull` or `pullAsync` next, whichever the iterator needs. */
  constructor(to: Pumped, iterator: Iterator<unknown> | AsyncIterator<unknown>) {
    this.#to = to;
    this.#iterator = iterator;
  }

  /** Whether the iterator is on the stack. */
  get inside(): boolean {
    return this.#inside;
  }

  /** Stops the iterator if it is not exhausted. Returns what its `return()` returns. */
  stop(): unknown {
    const iterator = this.#iterator;
    this.#iterator = undefined;
    return iterator?.return?.();
  }

  /** Pulls from a synchronous iterator until it ends, has to stop, or has to wait. */
  pull(): void {
    const to = this.#to;
    if (to.isWaiting) return to.whenDrained(() => this.pull());
    const iterator = this.#iterator as Iterator<unknown>;
    try {
      while (to.exchange !== undefined) {
        const step = this.#next(iterator);
        if (step.done === true) {
          this.#iterator = undefined;
          return to.complete();
        }
        const verdict = to.take(step.value);
        if (verdict === STOP) return to.complete();
        if (verdict === WAIT) return to.whenDrained(() => this.pull());
        if (to.turnIsOver()) return to.nextTurn(() => this.pull());
      }
      to.release();
    } catch (error) {
      to.fail(error);
    }
  }

  /** Pulls from an asynchronous iterator, as `pull` does. */
  async pullAsync(): Promise<void> {
    const to = this.#to;
    const iterator = this.#iterator as AsyncIterator<unknown>;
    try {
      if (to.isWaiting) await new Promise<void>((resume) => to.whenDrained(resume));
      while (to.exchange !== undefined) {
        let step: IteratorResult<unknown>;
        try {
          step = await this.#next(iterator);
        } catch (error) {
          this.#iterator = undefined;
          throw error;
        }
        if (to.exchange === undefined) break;
        if (step.done === true) {
          this.#iterator = undefined;
          return to.complete();
        }
        const verdict = to.take(step.value);
        if (verdict === STOP) return to.complete();
        if (verdict === WAIT) await new Promise<void>((resume) => to.whenDrained(resume));
        if (to.turnIsOver()) await new Promise<void>((resume) => to.nextTurn(resume));
      }
      to.release();
    } catch (error) {
      to.fail(error);
    }
  }

  /** Asks the iterator for a block. */
  #next<T>(iterator: { next(): T }): T {
    this.#inside = true;
    try {
      return iterator.next();
    } catch (error) {
      this.#iterator = undefined;
      throw error;
    } finally {
      this.#inside = false;
    }
  }
}
