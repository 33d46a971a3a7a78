/**
 * The thread that runs one target.
 *
 * @module
 */

import { parentPort, workerData } from "node:worker_threads";
import { countBranches } from "./branches.ts";
import { type Finding, Search } from "./engine.ts";
import { PROGRESS, type Task } from "./progress.ts";
import { targets } from "./targets/mod.ts";

const { target: name, seed, runs, seconds, input, mutant, progress } = workerData as Task;
const counters = new Int32Array(progress, 0, 2);
const shown = new Uint8Array(progress, PROGRESS.bytes);

const entry = targets[name]!;
countBranches(new URL("../../", import.meta.url), [...entry.parsers, ...entry.guides ?? []], mutant);
const search = new Search(await entry.load(), seed, entry.parsers, (next) => {
  Atomics.add(counters, PROGRESS.executions, 1);
  Atomics.store(counters, PROGRESS.length, next.length);
  shown.set(next);
});

if (input === undefined) parentPort?.postMessage(await search.run({ runs, seconds }));
else {
  const bytes = new Uint8Array(Buffer.from(input, "hex"));
  const error = await search.execute(bytes);
  const finding: Finding | undefined = error === undefined
    ? undefined
    : { message: error instanceof Error ? error.stack ?? error.message : String(error), input: bytes };
  const summary = await search.run({ runs: 0, seconds: 0 });
  parentPort?.postMessage({ ...summary, finding });
}
