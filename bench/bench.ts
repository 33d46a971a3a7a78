/**
 * Compares tsgi with the runtimes' own servers, and with peers.
 *
 *     npm run bench -- --runtime node,bun --workload trace,rotate --rounds 5 --duration 2
 *
 * For each cell and workload, all servers are started, checked for the same responses, and warmed up. Then they take
 * turns (A B A B). The server under load has one core to itself, wrk has the other, and the waiting servers are idle.
 * The table goes to standard output. The figures of every round and a chart go to `bench/results/`, or to `--out`.
 *
 * @module
 */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { projectPath } from "../tests/server_process.ts";
import { chart } from "./chart.ts";
import { commandLine, count, members } from "./command_line.ts";
import { bare, baseline, type Cell, cells, type Contestant, ours, peer } from "./contestants.ts";
import { Contender } from "./contender.ts";
import { idle, tooFewDescriptors } from "./idle.ts";
import { machine, needed, together } from "./machine.ts";
import { round } from "./measure.ts";
import { peers } from "./peers.ts";
import { bars, type Comparison, type Entry, failed, type Results, table } from "./results.ts";
import { checkSame } from "./same.ts";
import { short } from "./statistics.ts";
import { IDLE, type Workload, workloads } from "./workloads.ts";

const names = [...workloads.map(({ name }) => name), IDLE];
const SETTLE: Readonly<Record<string, number>> = { close: 1500 }; // ms: ports of closed connections become free again
const WARM_UP = 1; // s
const BARE = "bare";
const beside = [BARE, ...peers] as const;

const usage = `npm run bench -- [--runtime ${cells.join(",")}] [--workload ${names.join(",")}]
  [--peers ${beside.join(",")} | --peers none] [--rounds 5] [--duration 2] [--out bench/results]`;
const given = commandLine(usage, {
  runtime: cells.join(","),
  workload: names.join(","),
  peers: beside.join(","),
  rounds: "5",
  duration: "2",
  out: projectPath("bench/results"),
});
const rounds = count("rounds", given.rounds);
const seconds = count("duration", given.duration);
const askedWorkloads = members("workload", given.workload, names);
const asked = members("peers", given.peers, beside);
const askedPeers = peers.filter((name) => asked.includes(name));
const absent = new Set<string>();
const directory = mkdtempSync(join(tmpdir(), "tsgi-bench-"));

/** The servers to compare: ours, the runtime's own, bare sockets, and peers if they are available. */
function contestants(cell: Cell, workload: string): Contestant[] {
  const others = cell === "node" ? askedPeers.map(peer) : [];
  if (asked.includes(BARE) && !cell.endsWith("-net")) others.unshift(bare(cell, workload));
  return [ours(cell), baseline(cell), ...others].filter((one) => {
    const reason = one.absent(workload);
    if (reason !== null && workload !== IDLE) absent.add(`${one.name}, ${reason}`);
    return reason === null;
  });
}

async function compare(cell: Cell, workload: Workload): Promise<Comparison> {
  const running: Contender[] = [];
  try {
    for (const contestant of contestants(cell, workload.name)) {
      try {
        const contender = await Contender.start(contestant, workload.job);
        running.push(contender);
        await checkSame(contender.name, contender.port, workload);
      } catch (error) {
        if (running.length < 3 && contestant.cwd === undefined) throw error; // ours or the baseline
        absent.add(`${contestant.name}, ${workload.name}: ${String(error).split("\n")[0]}`);
        if (running.at(-1)?.name === contestant.name) await running.pop()!.stop();
      }
    }
    for (const contender of running) await round(contender, workload, WARM_UP, directory);
    const entries = running.map(({ name }): Entry => ({ name, rounds: [], idle: [] }));
    for (let i = 0; i < rounds; i++) {
      for (const [at, contender] of running.entries()) {
        await pause(SETTLE[workload.name] ?? 50);
        entries[at]!.rounds.push(await round(contender, workload, seconds, directory));
      }
    }
    return { cell, workload: workload.name, entries };
  } finally {
    await Promise.all(running.map((contender) => contender.stop()));
  }
}

/** Measures idle connections. Each figure needs a new process, because freed memory is not returned at once. */
async function compareIdle(cell: Cell): Promise<Comparison> {
  const taking = contestants(cell, IDLE);
  const entries = taking.map(({ name }): Entry => ({ name, rounds: [], idle: [] }));
  for (let i = 0; i < rounds; i++) {
    for (const [at, contestant] of taking.entries()) {
      const contender = await Contender.start(contestant, "hello");
      try {
        entries[at]!.idle.push(await idle(contender));
      } finally {
        await contender.stop();
      }
    }
  }
  return { cell, workload: IDLE, entries };
}

function progress({ cell, workload, entries }: Comparison): void {
  const figures = entries.map(({ name, rounds, idle }) => {
    const last = rounds.at(-1);
    return last === undefined ? `${name} ${short(idle.at(-1) ?? NaN)} KiB` : `${name} ${last.rate.toFixed(0)}/s`;
  });
  console.error(`${cell}, ${workload}: ${figures.join(", ")}`);
}

needed("wrk");
if (together !== null) absent.add(`a core for wrk: ${together}`);
const comparisons: Comparison[] = [];
try {
  for (const cell of members("runtime", given.runtime, cells)) {
    for (const name of askedWorkloads) {
      const descriptors = name === IDLE ? tooFewDescriptors() : null;
      if (descriptors !== null) {
        absent.add(`${IDLE}, ${descriptors}`);
        continue;
      }
      const workload = workloads.find((one) => one.name === name);
      const comparison = workload === undefined ? await compareIdle(cell) : await compare(cell, workload);
      progress(comparison);
      comparisons.push(comparison);
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

const tools = { gunicorn: ["--version"], uwsgi: ["--version"], wrk: ["-v"], python3: ["--version"] };
const results: Results = {
  when: new Date().toISOString().slice(0, 10),
  machine: machine(tools),
  rounds,
  seconds,
  comparisons,
  absent: [...absent],
};
mkdirSync(given.out, { recursive: true });
writeFileSync(join(given.out, "bench.json"), `${JSON.stringify(results, null, 1)}\n`);
const { versions } = results.machine;
const note = `Median of ${rounds} rounds, with their range; one process, wrk on the other core. ` +
  ["node", "deno", "bun"].map((name) => `${name} ${versions[name]}`).join(", ");
const drawn = bars(results);
if (drawn.length > 0) writeFileSync(join(given.out, "bench.svg"), chart(drawn, note));
console.log(table(results));
if (failed(results)) process.exitCode = 1;
