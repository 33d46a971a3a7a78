/**
 * The search: makes inputs, runs them, keeps those that reach new branches, and makes a failing one small.
 *
 * An input is *new* if it takes a branch that no input took, or takes one more often by an order of magnitude (1, 2, 3,
 * 4 to 7, 8 to 15 times, and so on). New inputs join the corpus, from which mutations start. So the search works its way
 * into code that no generator knows of.
 *
 * @module
 */

import process from "node:process";
import { counts, sites } from "./branches.ts";
import { mutated, type Stock } from "./mutate.ts";
import { hashOf, Random } from "./random.ts";
import { Broken, bytesOf, expectNoPollution, type Target } from "./target.ts";

const MOST_KEPT = 4096; // inputs in the corpus
const SLOW = 1000; // milliseconds of CPU time: an execution that takes longer is a fault
const MOST_TRIES = 4000; // executions that make a failing input small

/** A failing input. */
export interface Finding {
  /** What failed. */
  readonly message: string;
  /** The input as small as it became. */
  readonly input: Uint8Array;
}

/** How much of the parsers was reached. */
export interface Reach {
  readonly branches: number;
  readonly allBranches: number;
  readonly functions: number;
  readonly allFunctions: number;
  /** Branches and functions that nothing reached: `"core/a.ts:12 catch"`. */
  readonly missed: readonly string[];
}

/** What a run did. */
export interface Summary {
  readonly executions: number;
  readonly seconds: number;
  readonly kept: number;
  readonly reach: Reach;
  readonly finding: Finding | undefined;
}

/** When a run ends. */
export interface Bounds {
  readonly runs: number;
  readonly seconds: number;
}

/** The search with one target and one seed. */
export class Search {
  readonly #target: Target;
  readonly #random: Random;
  readonly #parsers: readonly string[];
  readonly #announce: (input: Uint8Array) => void;
  readonly #slow: number;
  readonly #corpus: Uint8Array[] = [];
  readonly #known: Uint8Array = new Uint8Array(counts.length); // the orders of magnitude seen at each counter, as bits
  readonly #reached: Uint8Array = new Uint8Array(counts.length);
  readonly #stock: Stock;
  #executions = 0;
  #rejected: unknown;

  /**
   * The coverage of the files `parsers` is stated; `announce` gets each input before it runs, so that a watchdog has it if
   * it never ends. An execution that takes longer than `slow` milliseconds is a fault.
   */
  constructor(
    target: Target,
    seed: number,
    parsers: readonly string[],
    announce: (input: Uint8Array) => void,
    slow: number = SLOW,
  ) {
    this.#target = target;
    this.#slow = slow;
    this.#parsers = parsers;
    this.#random = new Random(seed);
    this.#announce = announce;
    this.#stock = { words: target.words.map(bytesOf), other: () => this.#fromCorpus() };
    process.on("unhandledRejection", (error) => this.#rejected ??= error);
  }

  /** Runs the seeds, then new inputs until a bound is reached or an input fails. */
  async run({ runs, seconds }: Bounds): Promise<Summary> {
    const begun = performance.now();
    const elapsed = (): number => (performance.now() - begun) / 1000;
    const { longest } = this.#target;
    const seeds = this.#target.seeds().filter(({ length }) => length <= longest);
    this.#note(); // what has run when the modules were loaded
    let finding: Finding | undefined;
    while (finding === undefined && this.#executions < runs && elapsed() < seconds) {
      const input = seeds[this.#executions] ?? this.#make();
      const error = await this.execute(input);
      if (error !== undefined) finding = await this.#smallest(input, error);
      else if (this.#note()) this.#keep(input);
    }
    const { length } = this.#corpus;
    return { executions: this.#executions, seconds: elapsed(), kept: length, reach: this.#reach(), finding };
  }

  /** Runs one input. Returns what failed. */
  async execute(input: Uint8Array): Promise<unknown> {
    this.#announce(input);
    this.#executions++;
    counts.fill(0, 0, sites.length);
    const error = await this.#attempt(input);
    if (!(error instanceof Broken) || error.invariant !== TOO_SLOW) return error;
    return await this.#attempt(input, cpuTime); // a busy machine is not a fault of the parser
  }

  async #attempt(input: Uint8Array, clock = wallTime): Promise<unknown> {
    const begun = clock();
    try {
      const running = this.#target.check(input, new Random(hashOf(input)));
      if (running !== undefined) await running;
      expectNoPollution();
    } catch (error) {
      return error ?? new Error("undefined was thrown");
    }
    const took = clock() - begun;
    if (took > this.#slow) return new Broken(TOO_SLOW, `${Math.round(took)} ms`);
    const rejected = this.#rejected;
    this.#rejected = undefined;
    return rejected;
  }

  #make(): Uint8Array {
    const random = this.#random;
    const { longest } = this.#target;
    const way = random.below(10);
    if (way < 3) return this.#target.generate(random).slice(0, longest);
    const start = way === 3 ? this.#target.generate(random) : this.#fromCorpus();
    const input = mutated(start, random, this.#stock, longest);
    return this.#target.repair === undefined || random.oneIn(2) ? input : this.#target.repair(input);
  }

  /** An input of the corpus; half of the time one of the newest. */
  #fromCorpus(): Uint8Array {
    const { length } = this.#corpus;
    if (length === 0) return this.#target.generate(this.#random);
    const newest = this.#random.oneIn(2) ? Math.min(length, 64) : length;
    return this.#corpus[length - 1 - this.#random.below(newest)] as Uint8Array;
  }

  /** Notes the branches that were taken. Returns whether something is new. */
  #note(): boolean {
    let isNew = false;
    for (let site = 0; site < sites.length; site++) {
      const count = counts[site] as number;
      if (count === 0) continue;
      const bit = magnitudeOf(count);
      if (((this.#known[site] as number) & bit) !== 0) continue;
      this.#known[site]! |= bit;
      this.#reached[site] = 1;
      isNew = true;
    }
    return isNew;
  }

  #keep(input: Uint8Array): void {
    if (this.#corpus.length < MOST_KEPT) this.#corpus.push(input);
    else this.#corpus[this.#random.below(MOST_KEPT)] = input;
  }

  /** Makes a failing input small: leaves parts out, then makes bytes plain, as long as the same thing fails. */
  async #smallest(input: Uint8Array, error: unknown): Promise<Finding> {
    let best = input;
    let tries = 0;
    const wanted = kindOf(error);
    const fails = async (candidate: Uint8Array): Promise<boolean> => {
      if (tries++ >= MOST_TRIES) return false;
      const failed = await this.#attempt(candidate);
      if (failed === undefined || kindOf(failed) !== wanted) return false;
      best = candidate;
      error = failed;
      return true;
    };
    const limit = wanted === TOO_SLOW ? 0 : MOST_TRIES; // each try would take a second
    for (
      let size = Math.ceil(best.length / 2);
      size >= 1 && tries < limit;
      size = size === 1 ? 0 : Math.ceil(size / 2)
    ) {
      for (let at = 0; at < best.length && tries < limit;) {
        if (!await fails(without(best, at, size))) at += size;
      }
    }
    for (let at = 0; at < best.length && tries < limit; at++) {
      if (best[at] !== PLAIN) await fails(best.map((byte, i) => i === at ? PLAIN : byte));
    }
    return { message: messageOf(error), input: best };
  }

  #reach(): Reach {
    let [branches, allBranches, functions, allFunctions] = [0, 0, 0, 0];
    const missed: string[] = [];
    for (const [i, { file, line, kind }] of sites.entries()) {
      if (!this.#parsers.includes(file)) continue;
      const hit = this.#reached[i] as number;
      if (kind === "function") {
        functions += hit;
        allFunctions++;
      } else {
        branches += hit;
        allBranches++;
      }
      if (hit === 0) missed.push(`${file}:${line} ${kind}`);
    }
    return { branches, allBranches, functions, allFunctions, missed };
  }
}

const TOO_SLOW = "an execution ends soon";
const PLAIN = 0x61;

function wallTime(): number {
  return performance.now();
}

/** Milliseconds of CPU time of this thread. */
function cpuTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function magnitudeOf(count: number): number {
  if (count < 4) return 1 << (count - 1);
  return 1 << Math.min(7, 1 + Math.floor(Math.log2(count)));
}

function kindOf(error: unknown): string {
  if (error instanceof Broken) return error.invariant;
  return error instanceof Error ? `${error.name}: ${error.message.slice(0, 40)}` : String(error);
}

function messageOf(error: unknown): string {
  if (error instanceof Broken) return error.message;
  return error instanceof Error ? error.stack ?? error.message : String(error);
}

function without(bytes: Uint8Array, at: number, size: number): Uint8Array {
  const result = new Uint8Array(bytes.length - Math.min(size, bytes.length - at));
  result.set(bytes.subarray(0, at));
  result.set(bytes.subarray(Math.min(bytes.length, at + size)), at);
  return result;
}
