/**
 * 14.33 Event streams whose clients leave, in rounds. What is alive after each round, once garbage has been collected, may
 * not grow.
 * Resident memory is shown beside it. It says nothing of a leak: a runtime takes pages before it collects garbage, and does
 * not give them back at once.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { collectingCommand, type Runtime, ServerProcess } from "../server_process.ts";
import type { StreamsHeap } from "../lifecycle/programs/streams.ts";

const STREAMS = 250; // in a round
const AT_ONCE = 50;
const DEADLINE = 120_000; // ms for one runtime

/** How much is done. */
export interface StreamsScale {
  /** Rounds of 250 streams. */
  readonly rounds: number;
  /** Bytes that may be left of a stream, on average. A request that is not forgotten is more than a thousand. */
  readonly most: number;
}

/** Begins a stream and leaves after its first event, with FIN or with a reset. */
function abandon(port: number, reset: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("GET /events HTTP/1.1\r\nHost: a\r\n\r\n"));
    socket.on("data", (bytes: Buffer) => {
      if (!bytes.includes("data: ")) return;
      if (reset) socket.resetAndDestroy();
      else socket.destroy();
    });
    socket.on("error", reject).on("close", () => resolve());
  });
}

async function round(port: number): Promise<void> {
  for (let begun = 0; begun < STREAMS; begun += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => abandon(port, i % 2 === 0)));
  }
}

/** Measures the live heap, once all streams have been closed. */
async function settled(port: number, deadline: number): Promise<StreamsHeap> {
  for (;;) {
    const heap = await (await fetch(`http://127.0.0.1:${port}/heap`)).json() as StreamsHeap;
    if (heap.open === 0) return heap;
    if (performance.now() > deadline) throw new Error(`${heap.open} streams have not been closed`);
  }
}

/** The slope of the best-fitting line through `values`, per step. One late garbage collection hardly changes it. */
function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const products = values.map((value, i) => (i - middle) * (value - mean));
  return products.reduce((sum, one) => sum + one, 0) / values.reduce((sum, _, i) => sum + (i - middle) ** 2, 0);
}

async function soak(
  runtime: Runtime,
  how: "sockets" | "fetch",
  { rounds, most }: StreamsScale,
  say: (line: string) => void,
): Promise<string[]> {
  const command = [...collectingCommand(runtime, "tests/lifecycle/programs/streams.ts", ["-A"]), how] as const;
  const name = `${runtime}, ${how}`;
  const server = await ServerProcess.spawn(name, command, /port (\d+)\./);
  const deadline = performance.now() + DEADLINE;
  try {
    const port = Number(server.ready[1]);
    await round(port); // code is compiled, pools are filled
    await round(port);
    const heaps: StreamsHeap[] = [await settled(port, deadline)];
    for (let i = 0; i < rounds; i++) {
      if (performance.now() > deadline) throw new Error(`Not done after ${DEADLINE} ms`);
      await round(port);
      heaps.push(await settled(port, deadline));
    }
    const growth = slope(heaps.slice(1).map(({ used }) => used)) / STREAMS;
    const resident = ((heaps.at(-1) as StreamsHeap).resident - (heaps[0] as StreamsHeap).resident) / 1048576;
    say(
      `${name}: ${rounds * STREAMS} abandoned event streams: ${growth.toFixed(0)} bytes alive of each, ` +
        `resident memory ${resident < 0 ? "" : "+"}${resident.toFixed(1)} MiB; ` +
        `alive after each round, KiB: ${heaps.map(({ used }) => Math.round(used / 1024)).join(" ")}`,
    );
    return growth > most ? [`${name}: ${growth.toFixed(0)} bytes of each stream are alive`] : [];
  } finally {
    await server.stop();
  }
}

/** Soaks one runtime, its sockets and its fetch server, for some rounds. */
export async function abandonedStreams(
  runtime: Runtime,
  scale: StreamsScale,
  say: (line: string) => void,
): Promise<string[]> {
  const faults = await soak(runtime, "sockets", scale, say);
  return runtime === "node" ? faults : [...faults, ...await soak(runtime, "fetch", scale, say)];
}
