/**
 * The departure of a client before its response is complete, as the application learns of it: by an AbortSignal, or by
 * listeners, which cost less.
 *
 * An invocation creates its Departure on first use: when the application asks for one of them, or when the client leaves.
 * Most requests never need one.
 *
 * @module
 */

import { InputError } from "../contract/request_body.ts";

/** The departure of one client. */
export class Departure {
  #reason: Error | undefined;
  #controller: AbortController | undefined;
  #listeners: ((reason: Error) => void)[] | undefined;

  /** Why the client's response cannot be completed; undefined while it can. */
  get reason(): Error | undefined {
    return this.#reason;
  }

  /** Fires at the departure. It is created on first use, because an AbortController is expensive. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** Calls `listener` when `signal` fires, or would fire if it had been created. */
  listen(listener: (reason: Error) => void): void {
    const reason = this.#reason;
    if (reason === undefined) (this.#listeners ??= []).push(listener);
    else queueMicrotask(() => listener(reason));
  }

  /** Fires the signal and calls the listeners. `failed` gets what a listener throws. */
  happen(reason: Error, failed: (error: unknown) => void): void {
    this.#reason = reason;
    this.#controller?.abort(reason);
    for (const listener of this.#listeners ?? []) {
      try {
        listener(reason);
      } catch (error) {
        failed(error);
      }
    }
  }

  /** A promise that rejects with the reason. It counts as handled: if nobody awaits it, the process does not end. */
  rejection(): Promise<never> {
    const rejected = Promise.reject(this.#reason);
    rejected.catch(() => {});
    return rejected;
  }

  /** Whether an error only follows from the departure, which is known already. */
  explains(error: unknown): boolean {
    if (this.#reason === undefined) return false;
    try {
      return error === this.#reason || error instanceof InputError || (error as Error | null)?.name === "AbortError";
    } catch {
      return false; // the check itself can throw, for example for a revoked proxy
    }
  }
}
