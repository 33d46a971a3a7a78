/**
 * Compares the working tree with a commit: does a request cost more CPU time than before?
 *
 *     npm run bench:check -- HEAD~3 --runtime node,bun --workload trace,post1k
 *
 * The commit is checked out into a temporary folder, and each tree runs the same server program. In each round both
 * trees get every load, one after the other. The next round begins with the other tree, so that a machine that becomes
 * slower favors neither. The figure is CPU time per request, which other programs on the machine disturb least. Besides
 * the workloads there are `idle`, the memory of an idle connection, and `start`, the time until the server answers.
 *
 * The command exits with 1 when something has regressed; `bench/regression.ts` defines that.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { projectPath, runCommand, type Runtime } from "../tests/server_process.ts";
import { commandLine, count, members } from "./command_line.ts";
import { type Contestant, program, runtimes } from "./contestants.ts";
import { Contender } from "./contender.ts";
import { idle, tooFewDescriptors } from "./idle.ts";
import { needed, together } from "./machine.ts";
import { round } from "./measure.ts";
import { interval, LEAST_ROUNDS, type Measured, regressions, runtimeMean } from "./regression.ts";
import { checkSame } from "./same.ts";
import { median } from "./statistics.ts";
import { IDLE, type Workload, workloads } from "./workloads.ts";
import { failures } from "./wrk.ts";

const START = "start";
const STARTS = 5; // of each tree in a round: the figure is their median
const WARM_UP = 1; // s
const SETTLE: Readonly<Record<string, number>> = { close: 1500 }; // ms: ports of closed connections become free again

/** The figures of both trees in one round. */
type Figures = readonly [change: number, commit: number];

const names = [...workloads.map(({ name }) => name), IDLE, START];
const [first = "HEAD"] = process.argv.slice(2);
const commit = first.startsWith("--") ? "HEAD" : first;
const given = commandLine(
  `npm run bench:check -- [COMMIT] [--runtime ${runtimes.join(",")}] [--workload ${names.join(",")}]
  [--rounds ${LEAST_ROUNDS}] [--duration 2]`,
  { runtime: runtimes.join(","), workload: names.join(","), rounds: String(LEAST_ROUNDS), duration: "2" },
  process.argv.slice(first === commit ? 3 : 2),
);
const rounds = count("rounds", given.rounds);
const seconds = count("duration", given.duration);
const asked = members("workload", given.workload, names);
const directory = mkdtempSync(join(tmpdir(), "tsgi-check-"));

if (rounds < LEAST_ROUNDS) {
  console.error(`--rounds: a verdict needs ${LEAST_ROUNDS} rounds, got ${rounds}`);
  process.exit(2);
}

/** Checks out the commit, with the benchmark programs of the working tree, so that both trees do the same jobs. */
function checkOut(): string {
  const folder = join(directory, "commit");
  mkdirSync(folder);
  const archive = execFileSync("git", ["archive", "--format=tar", commit], {
    cwd: projectPath(""),
    maxBuffer: 2 ** 30,
  });
  execFileSync("tar", ["-x", "-C", folder], { input: archive });
  cpSync(projectPath("bench/servers"), join(folder, "bench/servers"), { recursive: true });
  cpSync(projectPath("bench/workloads.ts"), join(folder, "bench/workloads.ts"));
  return folder;
}

/** The server program of the tree in `folder`. */
function contestant(name: string, runtime: Runtime, folder: string): Contestant {
  const file = "bench/servers/tsgi.ts";
  const own = program(name, runtime, "tsgi.ts");
  const here = runCommand(runtime, file).args.at(-1) as string;
  return { ...own, command: (job) => own.command(job).map((word) => word === here ? join(folder, file) : word) };
}

/** Runs `figure` once for each tree, in the order of the round, and gives both figures. */
async function turns(i: number, figure: (at: 0 | 1) => Promise<number>): Promise<Figures> {
  const figures: [number, number] = [NaN, NaN];
  for (const at of i % 2 === 0 ? [0, 1] as const : [1, 0] as const) figures[at] = await figure(at);
  return figures;
}

async function compareLoad(workload: Workload, trees: readonly Contestant[]): Promise<Figures[]> {
  const running: Contender[] = [];
  try {
    for (const tree of trees) {
      const contender = await Contender.start(tree, workload.job);
      running.push(contender);
      await checkSame(contender.name, contender.port, workload);
      await round(contender, workload, WARM_UP, directory);
    }
    const figures: Figures[] = [];
    for (let i = 0; i < rounds; i++) {
      figures.push(
        await turns(i, async (at) => {
          await pause(SETTLE[workload.name] ?? 50);
          const result = await round(running[at] as Contender, workload, seconds, directory);
          if (failures([result]) > 0) throw new Error(`${running[at]?.name}, ${workload.name}: requests failed`);
          return result.cpu;
        }),
      );
    }
    return figures;
  } finally {
    await Promise.all(running.map((contender) => contender.stop()));
  }
}

/** Uses a new process for each figure, because freed memory is not returned to the system at once. */
async function compareProcesses(
  trees: readonly Contestant[],
  figure: (tree: Contestant) => Promise<number>,
): Promise<Figures[]> {
  const figures: Figures[] = [];
  for (let i = 0; i < rounds; i++) figures.push(await turns(i, (at) => figure(trees[at] as Contestant)));
  return figures;
}

async function idleMemory(tree: Contestant): Promise<number> {
  const contender = await Contender.start(tree, "hello");
  try {
    return await idle(contender);
  } finally {
    await contender.stop();
  }
}

async function startTime(tree: Contestant): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const before = performance.now();
    const contender = await Contender.start(tree, "hello");
    times.push(performance.now() - before);
    await contender.stop();
  }
  return median(times);
}

function compare(name: string, trees: readonly Contestant[]): Promise<Figures[]> {
  if (name === IDLE) return compareProcesses(trees, idleMemory);
  if (name === START) return compareProcesses(trees, startTime);
  return compareLoad(workloads.find((one) => one.name === name) as Workload, trees);
}

function row(...cells: readonly string[]): string {
  return cells.map((cell, i) => i < 2 ? cell.padEnd(9) : cell.padStart(11)).join(" ");
}

needed("wrk");
if (together !== null) console.error(`Beware: ${together}`);
const measured: Measured[] = [];
try {
  const tree = checkOut();
  console.log(row("runtime", "workload", "change", "commit", "ratio", "95 % from", "to"));
  for (const runtime of members("runtime", given.runtime, runtimes)) {
    const trees = [contestant("change", runtime, projectPath("")), contestant(commit, runtime, tree)];
    for (const workload of asked) {
      const descriptors = workload === IDLE ? tooFewDescriptors() : null;
      if (descriptors !== null) throw new Error(`${IDLE}: ${descriptors}`);
      const figures = await compare(workload, trees);
      const ratios = figures.map(([change, before]) => change / before);
      measured.push({ runtime, workload, ratios });
      const { mean, low, high } = interval(ratios);
      const middle = ([0, 1] as const).map((at) => median(figures.map((pair) => pair[at])).toFixed(2));
      console.log(row(runtime, workload, ...middle, ...[mean, low, high].map((one) => one.toFixed(3))));
    }
    console.log(row(runtime, "all", "", "", runtimeMean(measured, runtime).toFixed(3)));
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
const found = regressions(measured);
console.log(found.length === 0 ? `No regression against ${commit}.` : found.join("\n"));
if (found.length > 0) process.exitCode = 1;
