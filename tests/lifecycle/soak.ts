/**
 * 14.33 Event streams whose clients leave: part of `npm run test:soak`, and by itself `node tests/lifecycle/soak.ts [RUNTIME]`.
 * 3,000 of them on each runtime, in rounds; what is alive after each round, once garbage has been collected, may not grow.
 * Resident memory is shown beside it. It says nothing of a leak: a runtime takes pages before it collects garbage, and does
 * not give them back at once.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { connect } from "node:net";
import process from "node:process";
import { binaryOf } from "../../scripts/pack/hosts.ts";
import { projectPath, type Runtime, ServerProcess } from "../server_process.ts";
import type { Heap } from "./programs/streams.ts";

const ROUNDS = 12;
const STREAMS = 250; // in a round
const AT_ONCE = 50;
const DEADLINE = 120_000; // ms for one runtime
const MOST_GROWTH = 100; // bytes that may be left of a stream, on average; a leaked request is some thousands

const COMMANDS: Readonly<Record<Runtime, readonly [string, ...string[]]>> = {
  node: [binaryOf("node"), "--expose-gc"],
  deno: [binaryOf("deno"), "run", "-A", "--no-lock", "--no-check", "--v8-flags=--expose-gc"],
  bun: [binaryOf("bun"), "--no-env-file"],
};

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
async function settled(port: number, deadline: number): Promise<Heap> {
  for (;;) {
    const heap = await (await fetch(`http://127.0.0.1:${port}/heap`)).json() as Heap;
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

async function soak(runtime: Runtime, how: "sockets" | "fetch"): Promise<void> {
  const command: [string, ...string[]] = [
    ...COMMANDS[runtime],
    projectPath("tests/lifecycle/programs/streams.ts"),
    how,
  ];
  const name = `${runtime}, ${how}`;
  const server = await ServerProcess.spawn(name, command, /port (\d+)\./);
  const deadline = performance.now() + DEADLINE;
  try {
    const port = Number(server.ready[1]);
    await round(port); // code is compiled, pools are filled
    await round(port);
    const heaps: Heap[] = [await settled(port, deadline)];
    for (let i = 0; i < ROUNDS; i++) {
      if (performance.now() > deadline) throw new Error(`Not done after ${DEADLINE} ms`);
      await round(port);
      heaps.push(await settled(port, deadline));
    }
    const growth = slope(heaps.slice(1).map(({ used }) => used)) / STREAMS;
    const resident = ((heaps.at(-1) as Heap).resident - (heaps[0] as Heap).resident) / 1048576;
    console.log(
      `${name}: ${ROUNDS * STREAMS} abandoned event streams: ${growth.toFixed(0)} bytes alive of each, ` +
        `resident memory ${resident < 0 ? "" : "+"}${resident.toFixed(1)} MiB; ` +
        `alive after each round, KiB: ${heaps.map(({ used }) => Math.round(used / 1024)).join(" ")}`,
    );
    if (growth > MOST_GROWTH) process.exitCode = 1;
  } finally {
    await server.stop();
  }
}

/** Soaks one runtime, its sockets and its fetch server; the exit status is 1 when something is left of each stream. */
export async function abandonedStreams(runtime: Runtime): Promise<void> {
  await soak(runtime, "sockets");
  if (runtime !== "node") await soak(runtime, "fetch");
}

if (import.meta.main) {
  const chosen = process.argv.slice(2);
  const all: readonly Runtime[] = ["node", "deno", "bun"];
  for (const runtime of all.filter((one) => chosen.length === 0 || chosen.includes(one))) {
    await abandonedStreams(runtime);
  }
}
