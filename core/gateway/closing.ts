/**
 * The end of a body: its iterator is stopped, then its `close()` is called (PEP 3333, "The Application/Framework Side").
 *
 * Stopping an asynchronous iterator takes as long as it takes; a generator that waits for something that never comes
 * does not keep `close()` waiting for ever.
 *
 * @module
 */

import { isThenable } from "./blocks.ts";

/** Told of what goes wrong, and where: `""` or `"close(): "`. */
export type Failed = (error: unknown, where: string) => void;

const RETURN_DEADLINE = 5000; // ms that a stopped iterator has before close() is called all the same

/** Whether a body may have a `close()` that is to be called. */
export function hasClose(body: unknown): boolean {
  return typeof body === "object" && body !== null && "close" in body;
}

/** Calls `stop`, and once that has settled the `close()` of `body`, where it has one; then `closed`. Never throws. */
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
