/**
 * The fuzzer of tsgi's parsers: `npm run fuzz`. docs/fuzzing.md says how to use it.
 *
 * Each target runs in a worker thread of its own, one after another, so that a parser that never returns cannot stop
 * this program: the main thread watches, and states the input that hangs.
 *
 * @module
 */

import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { projectPath } from "../server_process.ts";
import type { Summary } from "./engine.ts";
import { PROGRESS, type Task } from "./progress.ts";
import { mutants } from "./mutants.ts";
import { targets } from "./targets/mod.ts";

const HANG = 10; // seconds without an execution that ends
const MUTANT_HANG = 3; // the same for mutants, some of which hang

const { values } = parseArgs({
  options: {
    target: { type: "string", multiple: true },
    runs: { type: "string", default: "1000000" },
    seed: { type: "string" },
    time: { type: "string", default: "Infinity" },
    input: { type: "string" },
    missed: { type: "boolean", default: false },
    mutants: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const HELP = `npm run fuzz -- [options]
  --target NAME  one of ${Object.keys(targets).join(", ")}; may be repeated; default: all
  --runs N       executions of each target (1000000)
  --time SECONDS most seconds for each target
  --seed N       repeats a run; the default is a new one, which is printed
  --input HEX    runs one input, as a finding prints it
  --missed       lists the branches that no input reached
  --mutants      puts known faults into the parsers instead, and fails unless each is found
`;

/** Runs the targets that the command line names. Returns the exit status. */
async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const names = values.target ?? Object.keys(targets);
  const unknown = names.find((name) => !Object.hasOwn(targets, name));
  const [runs, seconds, seed] = [Number(values.runs), Number(values.time), Number(values.seed ?? randomInt(2 ** 31))];
  if (unknown !== undefined || !(runs > 0) || !(seconds > 0) || !Number.isInteger(seed)) {
    process.stderr.write(`${unknown === undefined ? "A number is malformed" : `No target ${unknown}`}\n${HELP}`);
    return 2;
  }
  if (values.mutants) return await findMutants(names, runs, seconds, seed);
  let failed = false;
  for (const target of names) {
    const progress = new SharedArrayBuffer(PROGRESS.bytes + PROGRESS.most);
    const outcome = await watched({ target, seed, runs, seconds, input: values.input, progress });
    failed = report(target, seed, outcome) || failed;
  }
  return failed ? 1 : 0;
}

/** Puts each mutant of some targets in. Returns the exit status: 1 if one is not found. */
async function findMutants(names: readonly string[], runs: number, seconds: number, seed: number): Promise<number> {
  let missed = 0;
  for (const mutant of mutants.filter(({ target }) => names.includes(target))) {
    if (readFileSync(projectPath(mutant.file), "utf8").split(mutant.from).length !== 2) {
      missed++;
      process.stdout.write(`${mutant.target}: NOT FOUND, since ${mutant.file} has to have this once: ${mutant.from}\n`);
      continue;
    }
    const progress = new SharedArrayBuffer(PROGRESS.bytes + PROGRESS.most);
    const outcome = await watched({ target: mutant.target, seed, runs, seconds, input: undefined, mutant, progress });
    const found = typeof outcome === "string" ? outcome.split("\n")[0] : outcome.finding?.message;
    const executions = new Int32Array(progress)[PROGRESS.executions];
    if (found === undefined) missed++;
    process.stdout.write(
      `${mutant.target}: ${mutant.file}: ${mutant.from.trim()}\n  ${
        found === undefined ? `NOT FOUND, seed ${seed},` : `found: ${found.slice(0, 100)}\n `
      } within ${executions} executions\n`,
    );
  }
  return missed === 0 ? 0 : 1;
}

/** The summary of a target; a text if it hangs or its worker dies. */
function watched(task: Task): Promise<Summary | string> {
  const counters = new Int32Array(task.progress, 0, 2);
  const hang = task.mutant === undefined ? HANG : MUTANT_HANG;
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: task });
  return new Promise((resolve) => {
    let seen = -1;
    let since = performance.now();
    const inputAsHex = (): string => {
      const length = Atomics.load(counters, PROGRESS.length);
      return Buffer.from(new Uint8Array(task.progress, PROGRESS.bytes, length).slice()).toString("hex");
    };
    const timer = setInterval(() => {
      const executions = Atomics.load(counters, PROGRESS.executions);
      if (executions !== seen) [seen, since] = [executions, performance.now()];
      else if (performance.now() - since > hang * 1000) {
        end(`an input hangs: no end within ${hang} s\n  input: ${inputAsHex()}`);
        void worker.terminate();
      }
    }, 500);
    const end = (outcome: Summary | string): void => {
      clearInterval(timer);
      resolve(outcome);
    };
    worker.once("message", end);
    worker.once("error", (error) => end(`the worker died: ${(error as Error).stack}\n  input: ${inputAsHex()}`));
  });
}

/** Prints the outcome of a target. Returns whether it failed. */
function report(target: string, seed: number, outcome: Summary | string): boolean {
  const say = (text: string): boolean => process.stdout.write(`${text}\n`);
  if (typeof outcome === "string") {
    say(`${target}: FAULT (seed ${seed}): ${outcome}`);
    return true;
  }
  const { executions, seconds, kept, reach, finding } = outcome;
  const share = (part: number, all: number): string => `${part}/${all} (${(100 * part / all).toFixed(1)} %)`;
  if (values.input === undefined) {
    say(
      `${target}: ${executions} executions in ${seconds.toFixed(1)} s, seed ${seed}, ` +
        `branches ${share(reach.branches, reach.allBranches)}, functions ${
          share(reach.functions, reach.allFunctions)
        }, corpus ${kept}`,
    );
  }
  if (values.missed) { for (const branch of reach.missed) say(`  missed: ${branch}`); }
  if (finding === undefined) {
    if (values.input !== undefined) say(`${target}: the input passes`);
    return false;
  }
  const hex = Buffer.from(finding.input).toString("hex");
  say(`${target}: FAULT (seed ${seed}): ${finding.message}`);
  say(`  input: ${hex}`);
  say(`  text: ${JSON.stringify(Buffer.from(finding.input).toString("latin1"))}`);
  say(`  repeat: npm run fuzz -- --target ${target} --input ${hex || "''"}`);
  return true;
}

process.exitCode = await main();
