/**
 * Ends a body: stops its iterator, then calls its `close()` (PEP 3333, "The Application/Framework Side").
 *
 * An asynchronous iterator may take any time to stop, because a generator may wait for something that never comes. So
 * `close()` is called after a deadline even if the iterator has not stopped.
 *
 * @module
 */

import { isThenable } from "./blocks.ts";

/** Receives an error and the place where it occurred: `""` or `"close(): "`. */
export type Failed = (error: unknown, where: string) => void;

const RETURN_DEADLINE = 5000; // ms that an iterator has to stop; after that close() is called anyway

/** Whether a body may have a `close()` to call. */
export function hasClose(body: unknown): boolean {
  return typeof body === "object" && body !== null && "close" in body;
}

/** Calls `stop`; once that has settled, the `close()` of `body` if it has one; and last `closed`. Never throws. */
export function closeBody(body: unknown, stop: () => unknown, failed: Failed, closed: () => void = () => {}): void {
  try {
    const stopping = stop();
    if (isThenable(stopping)) return closeAfter(stopping, body, failed, closed);
  } catch (error) {
    failed(error, "");
  }
  close(body, failed, closed);
}

function closeAfter(stopping: PromiseLike<unknown>, body: unknown, failed: Failed, closed: () => void): void {
  let done = false;
  const once = (): void => {
    if (done) return;
    done = true;
    clearTimeout(deadline);
    close(body, failed, closed);
  };
  const deadline = setTimeout(once, RETURN_DEADLINE);
  Promise.resolve(stopping).then(once, (error) => {
    failed(error, "");
    once();
  });
}

function close(body: unknown, failed: Failed, closed: () => void): void {
  try {
    const closable = body as { close?: unknown } | null | undefined;
    const closing: unknown = typeof closable?.close === "function" ? closable.close() : undefined;
    if (isThenable(closing)) return void closing.then(closed, (error) => (failed(error, "close(): "), closed()));
  } catch (error) {
    failed(error, "close(): ");
  }
  closed();
}
