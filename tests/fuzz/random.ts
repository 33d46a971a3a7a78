/**
 * Random numbers that repeat for a seed, and random choices made of them.
 *
 * @module
 */

/** A source of random numbers: sfc32 of PractRand, which is small, fast and good enough for test inputs. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** The sequence that belongs to `seed`. */
  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) | 0;
    this.#c = Math.imul(seed ^ 0x7f4a7c15, 0xc2b2ae35) | 0;
    for (let i = 0; i < 12; i++) this.next();
  }

  /** An integer of 32 bits, without a sign. */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum | 0;
    return sum >>> 0;
  }

  /** An integer from 0 to `limit - 1`. */
  below(limit: number): number {
    return Math.floor(this.next() / 0x100000000 * limit);
  }

  /** An integer from `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  /** An element of a list that has at least one. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** Between `least` and `most` results of `make`. */
  many<T>(least: number, most: number, make: () => T): T[] {
    return Array.from({ length: this.between(least, most) }, make);
  }

  /** Text of up to `most` characters, each from `alphabet`. */
  text(most: number, alphabet: string): string {
    let text = "";
    for (let left = this.below(most + 1); left > 0; left--) text += alphabet[this.below(alphabet.length)];
    return text;
  }
}

/** A number that depends on all bytes (FNV-1a): the seed for what is chosen at random beside an input. */
export function hashOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
