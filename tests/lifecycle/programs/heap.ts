/**
 * Measures what is alive in this process, after its garbage has been collected. The process has to be started by
 * `collectingCommand` of tests/server_process.ts, so that a program may collect.
 *
 * @module
 */

import process from "node:process";

/** What is left after garbage has been collected. */
export interface Heap {
  /** Bytes of live objects. */
  readonly used: number;
  /** Bytes that the system has given the process. */
  readonly resident: number;
}

const { gc, Bun } = globalThis as unknown as {
  readonly gc?: () => void;
  readonly Bun?: { gc(force: boolean): void };
};

/** Collects garbage, and measures what is left. */
export async function liveHeap(): Promise<Heap> {
  for (let i = 0; i < 4; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20)); // what is finalized is collected in a later turn
    if (Bun !== undefined) Bun.gc(true);
    else gc?.();
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { used: heapUsed + external, resident: rss };
}
