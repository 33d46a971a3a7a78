/**
 * Measures start-up: a program with tsgi until it listens, compared with one that imports as many empty modules.
 *
 *     npm run bench:startup -- --runtime node --rounds 15
 *
 * The package is built as for npm. A first run shows which modules our program loads. From these an empty set with the
 * same imports is made. Then both programs take turns (A B A B), each as a process from start to end.
 *
 * @module
 */

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { loadedModules } from "../tests/loaded_modules.ts";
import { projectPath, type Runtime } from "../tests/server_process.ts";
import { installShared } from "./cgi/install.ts";
import { runtimes as known } from "./contestants.ts";
import { commandLine, count, members } from "./command_line.ts";
import { machine } from "./machine.ts";
import { endedChildren } from "./proc.ts";
import { writeByRuntime } from "./results_file.ts";
import { bare, type Comparison, comparisons, ours, serving, steps } from "./startup/programs.ts";
import { FOLLOW, writeEmptySet } from "./startup/sets.ts";
import { median, ranged, ratios, short, spread } from "./statistics.ts";

const LIMIT = 1.3; // ours over the empty set, of the built package
const FILL = 2; // runs that fill caches and are not counted
const MODULES = ["package", "sources"] as const;
const given = commandLine(
  "npm run bench:startup -- [--runtime node,deno,bun] [--modules package,sources] [--rounds 20] [--out bench/results]",
  { runtime: known.join(","), modules: MODULES.join(","), rounds: "20", out: projectPath("bench/results") },
);
const rounds = count("rounds", given.rounds);
const runtimes = members("runtime", given.runtime, known);
const modules = members("modules", given.modules, MODULES);
const taking = comparisons.filter((one) => runtimes.includes(one.runtime) && modules.includes(one.modules));

/** The times of one process, from its start to its end. */
interface Run {
  /** Elapsed time in ms. */
  readonly wall: number;
  /** CPU time in ms. It has the resolution of the kernel's tick, so only the mean of many processes is useful. */
  readonly cpu: number;
}

/** The results of a comparison. */
interface Result extends Comparison {
  readonly loaded: readonly string[];
  readonly ours: readonly Run[];
  readonly empty: readonly Run[];
  /** Times within our process in ms: until the program runs, for its imports, and from `serve` to listening. */
  readonly steps: readonly (readonly number[])[];
  /** Time in ms from the start of our process to the first octet of its first response. */
  readonly answered: readonly number[];
}

const root = mkdtempSync(join(tmpdir(), "tsgi-startup-"));
const app = join(root, "app");
const log = join(root, "errors.log");

function command({ runtime, cache }: Comparison, path: string): { binary: string; args: string[] } {
  const flags: Readonly<Record<Runtime, readonly string[]>> = {
    node: [],
    deno: ["run", "-A", "--no-lock", "--no-check", ...(cache === "none" ? ["--no-code-cache"] : [])],
    bun: ["--no-env-file"],
  };
  return { binary: join(root, "bin", runtime), args: [...flags[runtime], path] };
}

function environment({ runtime, cache }: Comparison): NodeJS.ProcessEnv {
  const { NODE_COMPILE_CACHE: _, ...env } = process.env;
  const kept = join(root, `cache-${runtime}`);
  return { ...env, DENO_DIR: kept, ...(cache === "kept" ? { NODE_COMPILE_CACHE: kept } : {}) };
}

/** Runs a program that ends by itself; returns its output. A failed run ends the benchmark. */
function run(comparison: Comparison, path: string): Run & { readonly output: string } {
  const { binary, args } = command(comparison, path);
  const errors = openSync(log, "w");
  const env = environment(comparison);
  const before = endedChildren();
  const begun = performance.now();
  const { status, signal, stdout } = spawnSync(binary, args, { cwd: app, env, stdio: ["ignore", "pipe", errors] });
  const wall = performance.now() - begun;
  const cpu = (endedChildren() - before) / 1000;
  closeSync(errors);
  if (status !== 0) {
    throw new Error(`${path} on ${comparison.runtime}: ${signal ?? status}\n${readFileSync(log, "utf8")}`);
  }
  return { wall, cpu, output: stdout.toString() };
}

/** Starts a server, and sends it a request as soon as it has printed its address. */
function answered(comparison: Comparison, path: string): Promise<number> {
  const { binary, args } = command(comparison, path);
  const begun = performance.now();
  const child: ChildProcess = spawn(binary, args, {
    cwd: app,
    env: environment(comparison),
    stdio: ["ignore", "ignore", "pipe"],
  });
  return new Promise<number>((resolve, reject) => {
    let text = "";
    let asked = false;
    child.once("exit", (code, signal) => reject(new Error(`${path} ended: ${code ?? signal}\n${text}`)));
    child.stderr!.setEncoding("utf8").on("data", (part: string) => {
      text += part;
      const port = /^Listening on http:\/\/127\.0\.0\.1:(\d+)\//m.exec(text)?.[1];
      if (port === undefined || asked) return;
      asked = true;
      const socket = connect(Number(port), "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
      socket.once("error", reject);
      socket.once("data", (bytes) => {
        const took = performance.now() - begun;
        socket.destroy();
        if (bytes.toString("latin1").startsWith("HTTP/1.1 200 ")) resolve(took);
        else reject(new Error(`${path}: ${bytes.toString("latin1")}`));
      });
    });
  }).finally(async () => {
    child.removeAllListeners("exit");
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM"); // so that it writes its cache, as the others do
    await ended;
  });
}

/** Writes the programs of a comparison and its empty set; returns their paths and the modules that ours loads. */
async function prepare(comparison: Comparison) {
  const { runtime } = comparison;
  const fromPackage = comparison.modules === "package";
  const ending = fromPackage ? "mjs" : "ts";
  const own = join(app, fromPackage ? "node_modules/tsgi" : "sources");
  const other = join(root, `empty-${runtime}-${ending}`);
  const write = (folder: string, name: string, text: string): string => {
    const path = join(folder, `${name}-${runtime}.${ending}`);
    writeFileSync(path, text);
    return path;
  };
  const specifier = fromPackage ? "tsgi" : "./sources/mod.ts";
  const path = write(app, "ours", ours(runtime, specifier));
  const loaded = await loadedModules(runtime, own, { path });
  await writeEmptySet(own, join(other, fromPackage ? "node_modules/tsgi" : "sources"), loaded);
  writeFileSync(join(other, "package.json"), `{ "type": "module" }\n`);
  return {
    loaded,
    ours: path,
    empty: write(other, "empty", bare(runtime, specifier, FOLLOW)),
    steps: write(app, "steps", steps(runtime, specifier)),
    serving: write(app, "serving", serving(specifier)),
  };
}

async function compare(comparison: Comparison): Promise<Result> {
  const programs = await prepare(comparison);
  const own = await loadedModules(comparison.runtime, root, { path: programs.empty });
  const empty = own.filter((path) => /\/(?:node_modules\/tsgi|sources)\//.test(path)).length;
  if (empty !== programs.loaded.length) {
    throw new Error(`The empty set loads ${empty} modules, tsgi ${programs.loaded.length}: ${own.join(", ")}`);
  }
  const result = { ...comparison, loaded: programs.loaded, ours: [] as Run[], empty: [] as Run[] };
  for (let i = -FILL; i < rounds; i++) {
    for (const side of ["ours", "empty"] as const) {
      const { wall, cpu } = run(comparison, programs[side]);
      if (i >= 0) result[side].push({ wall, cpu });
    }
  }
  const inside: number[][] = [];
  const responses: number[] = [];
  run(comparison, programs.steps); // fills caches
  await answered(comparison, programs.serving);
  for (let i = 0; i < Math.ceil(rounds / 3); i++) {
    inside.push(JSON.parse(run(comparison, programs.steps).output));
    responses.push(await answered(comparison, programs.serving));
  }
  return { ...result, steps: inside, answered: responses };
}

const wall = (runs: readonly Run[]): number[] => runs.map((run) => run.wall);
const meanCpu = (runs: readonly Run[]): number => runs.reduce((sum, { cpu }) => sum + cpu, 0) / runs.length;

function row(result: Result): string {
  const over = ratios(wall(result.ours), wall(result.empty));
  const ms = (runs: readonly Run[]): string => ranged(spread(wall(runs)));
  const cells = [
    `${result.runtime}, ${result.modules}${result.cache === "kept" ? ", cache" : ""}`,
    String(result.loaded.length),
    ms(result.ours),
    ms(result.empty),
    ranged(over),
    `${short(meanCpu(result.ours))} / ${short(meanCpu(result.empty))}`,
    [0, 1, 2].map((i) => short(median(result.steps.map((one) => one[i]!)))).join(" + "),
    short(median(result.answered)),
  ];
  return `| ${cells.join(" | ")} |`;
}

const results: Result[] = [];
try {
  installShared(root, runtimes);
  for (const comparison of taking) {
    const result = await compare(comparison);
    results.push(result);
    console.error(row(result));
  }
} finally {
  rmSync(root, { recursive: true, force: true });
}

const about = machine({});
writeByRuntime(
  given.out,
  "startup.json",
  runtimes.map((runtime) => [
    runtime,
    { machine: about, rounds, results: results.filter((one) => one.runtime === runtime) },
  ]),
);
console.log(
  [
    "| program | modules | tsgi, ms | empty set, ms | ratio | CPU ms | within: start + import + serve | first response |",
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ...results.map(row),
  ].join("\n"),
);
const slow = results.filter((result) =>
  result.modules === "package" && ratios(wall(result.ours), wall(result.empty)).median > LIMIT
);
for (const { runtime, cache } of slow) {
  console.log(`Above ${LIMIT}: ${runtime}, package${cache === "kept" ? ", cache" : ""}`);
}
