/**
 * What a target is: one parser under test, the inputs for it, and the invariants that each of them must hold.
 *
 * @module
 */

import type { Random } from "./random.ts";

/** A parser under test. A new one is a file in `targets/` and a line in `targets/mod.ts`. */
export interface Target {
  /** Bytes of the longest input. Most faults show in short ones, which run faster. */
  readonly longest: number;
  /** Inputs to begin with: real traffic, cases of other tests. */
  seeds(): readonly Uint8Array[];
  /** Words that mutations insert. */
  readonly words: readonly string[];
  /** Sets what mutations break most, such as a stated length, right again. Half of the mutated inputs go through it. */
  repair?(input: Uint8Array): Uint8Array;
  /** Makes an input by the grammar, mostly a valid one. */
  generate(random: Random): Uint8Array;
  /**
   * Runs an input and checks the invariants. What it chooses at random, such as splits, comes from `random`, which
   * depends on the input only: the same input has the same outcome.
   *
   * @throws {Broken} when an invariant does not hold. Any other error is a finding too.
   */
  check(input: Uint8Array, random: Random): void | Promise<void>;
}

/** An invariant does not hold. */
export class Broken extends Error {
  /** Name of the class. */
  override readonly name = "Broken";
  /** Names the invariant. A minimised input breaks the same one. */
  readonly invariant: string;

  /** Names the invariant and shows what was seen. */
  constructor(invariant: string, seen: unknown) {
    super(`${invariant}: ${typeof seen === "string" ? seen : JSON.stringify(seen)}`);
    this.invariant = invariant;
  }
}

/** Throws {@linkcode Broken} unless `holds`. */
export function expect(holds: boolean, invariant: string, seen: () => unknown): void {
  if (!holds) throw new Broken(invariant, seen());
}

/** Throws {@linkcode Broken} unless two values have the same JSON. */
export function expectSame(got: unknown, wanted: unknown, invariant: string): void {
  const [one, other] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (one !== other) throw new Broken(invariant, `got ${one}, wanted ${other}`);
}

/** Throws {@linkcode Broken} if some input has given all objects a new property. */
export function expectNoPollution(): void {
  for (const key in {}) throw new Broken("Object.prototype stays as it is", key);
}

/** Bytes of latin-1 text. */
export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "latin1"));
}

/** Latin-1 text of bytes. */
export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

/** Bytes cut into up to `most` pieces at random; often into single bytes, or beside a line end, where parsers wait. */
export function piecesOf(bytes: Uint8Array, random: Random, most = 6): Uint8Array[] {
  if (bytes.length <= 64 && random.oneIn(4)) return Array.from(bytes, (byte) => Uint8Array.of(byte));
  const cut = (): number => {
    const at = random.below(bytes.length + 1);
    const end = random.oneIn(2) ? -1 : bytes.indexOf(random.oneIn(2) ? 0x0a : 0x0d, at);
    return end < 0 ? at : end + random.below(2);
  };
  const cuts = random.many(1, most, cut).sort((a, b) => a - b);
  const starts = [0, ...cuts];
  return starts.map((start, i) => bytes.slice(start, starts[i + 1] ?? bytes.length)).filter(({ length }) => length > 0);
}
