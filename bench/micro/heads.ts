/**
 * Request heads for the micro benchmarks: those of the workloads, as bytes.
 *
 * @module
 */

import { filled, workloads } from "../workloads.ts";

const HEADS = 512; // of a workload whose requests are new each time
const encoder = new TextEncoder();

/** The requests of a workload in turn. If they are new each time, there are more of them than any of our caches holds. */
export function requestsOf(name: string): Uint8Array[] {
  const workload = workloads.find((one) => one.name === name);
  if (workload === undefined) throw new Error(`no workload ${name}`);
  const { requests } = workload;
  const fresh = requests.some((text) => text.includes("{n}"));
  return Array.from({ length: fresh ? HEADS : requests.length }, (_, i) => {
    const text = requests[i % requests.length]!;
    return encoder.encode(filled(text, "127.0.0.1:8000", 100_000_000_000 + i));
  });
}
