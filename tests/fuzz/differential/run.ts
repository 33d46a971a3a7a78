/**
 * Gives many inputs to both servers, and sorts the differences into classes.
 *
 * @module
 */

import { wireCases } from "../corpus.ts";
import { HTTP_WORDS, request, requests } from "../http_grammar.ts";
import { mutated } from "../mutate.ts";
import { Random } from "../random.ts";
import { bytesOf, textOf } from "../target.ts";
import { classes, type DifferenceClass } from "./classes.ts";
import { type Difference, differenceOf } from "./compare.ts";
import { observeNode } from "./node_side.ts";
import { observeTsgi } from "./tsgi_side.ts";

const LONGEST = 3000; // bytes, so that no limit of either server is reached

/** The outcome of many inputs. */
export interface Comparison {
  readonly inputs: number;
  readonly same: number;
  /** How often each class came, by its name. */
  readonly counts: ReadonlyMap<string, number>;
  /** The differences without a class. */
  readonly unknown: readonly Difference[];
}

/** The class of a difference. */
export function classOf(difference: Difference): DifferenceClass | undefined {
  return classes.find(({ matches }) => matches(difference));
}

/** The first difference that an input shows. */
export async function compare(input: Uint8Array): Promise<Difference | undefined> {
  return differenceOf(textOf(input), await observeTsgi(input), await observeNode(input));
}

/** The inputs of a run: the cases of the wire suite, then generated and mutated ones. They depend on the seed only. */
export function* inputsOf(count: number, seed: number): Generator<Uint8Array> {
  const random = new Random(seed);
  const seeds = wireCases().filter(({ length }) => length < LONGEST);
  const stock = { words: HTTP_WORDS.map(bytesOf), other: () => random.pick(seeds) };
  yield* seeds.slice(0, count);
  for (let i = seeds.length; i < count; i++) {
    const way = random.below(4);
    if (way === 0) yield bytesOf(request(random));
    else if (way === 1) yield bytesOf(requests(random)).slice(0, LONGEST);
    else {
      const start = way === 2 ? random.pick(seeds) : bytesOf(request(random));
      const input = mutated(start, random, stock, LONGEST);
      yield input.length > 0 ? input : start;
    }
  }
}

/** Compares both servers on `count` inputs. Stops at `most` unknown differences. */
export async function compareMany(count: number, seed: number, most = 20): Promise<Comparison> {
  const counts = new Map<string, number>();
  const unknown: Difference[] = [];
  let [inputs, same] = [0, 0];
  for (const input of inputsOf(count, seed)) {
    inputs++;
    const difference = await compare(input);
    if (difference === undefined) {
      same++;
      continue;
    }
    const name = classOf(difference)?.name;
    if (name === undefined) {
      if (unknown.push(difference) >= most) break;
    } else counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return { inputs, same, counts, unknown };
}
