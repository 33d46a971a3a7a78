/**
 * Bytes that a web server could have sent, damaged at random: nothing crashes, nothing hangs, and what is accepted and
 * how the connection ends is what the naive decoder says. The sequence is the same each time.
 *
 * `TSGI_EXHAUSTIVE=1` tries 10,000 damages of each capture, else it is 2000.
 */

import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { projectPath } from "../server_process.ts";
import { drive, exhaustive, template } from "./driver.ts";
import { naive, recordOffsets } from "./naive.ts";

const ROUNDS = exhaustive ? 10_000 : 2000;

/** Numbers from 0 to below `limit`, always the same for a seed (Marsaglia's xorshift). */
function randomNumbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

type Random = ReturnType<typeof randomNumbers>;

function splice(bytes: Uint8Array, at: number, most: number, inserted: Uint8Array): Uint8Array {
  const removed = Math.min(most, bytes.length - at);
  const result = new Uint8Array(bytes.length - removed + inserted.length);
  result.set(bytes.subarray(0, at));
  result.set(inserted, at);
  result.set(bytes.subarray(at + removed), at + inserted.length);
  return result;
}

/** A place that matters: in or near a header, or in the variables, rather than in the middle of an upload. */
function somewhere(bytes: Uint8Array, offsets: readonly number[], random: Random): number {
  const near = (offsets[random(offsets.length)] ?? 0) + random(12);
  return Math.min(
    bytes.length - 1,
    [near, near, random(Math.min(bytes.length, 1024)), random(bytes.length)][random(4)]!,
  );
}

function damage(bytes: Uint8Array, random: Random): Uint8Array {
  const offsets = recordOffsets(bytes);
  const at = somewhere(bytes, offsets, random);
  const header = offsets[random(offsets.length)] ?? 0;
  const next = offsets[offsets.indexOf(header) + 1] ?? bytes.length;
  const other = offsets[random(offsets.length)] ?? 0;
  const copy = bytes.slice();
  switch (random(9)) {
    case 0:
      copy[at]! ^= 1 << random(8);
      return copy;
    case 1:
      copy[at] = random(256);
      return copy;
    case 2:
      return splice(bytes, at, 1 + random(4), new Uint8Array(0));
    case 3:
      return splice(bytes, at, 0, Uint8Array.from({ length: 1 + random(12) }, () => random(256)));
    case 4:
      return bytes.slice(0, at);
    case 5: // a record again, or elsewhere
      return splice(bytes, other, 0, bytes.slice(header, next));
    case 6: // a record less
      return splice(bytes, header, next - header, new Uint8Array(0));
    case 7: // another type
      copy[header + 1] = random(13);
      return copy;
    default: // another request
      copy[header + 3] = random(3);
      return copy;
  }
}

const captures = readdirSync(projectPath("tests/captures")).filter((name) => /-fcgi-.*\.bin$/.test(name));

it("there are captures", () => {
  expect(captures.length).toBeGreaterThan(10);
});

it.each(captures)("F01 %s, damaged", async (name) => {
  const original = new Uint8Array(readFileSync(projectPath(`tests/captures/${name}`)));
  const random = randomNumbers(0x5eed + name.length);
  for (let round = 0; round < ROUNDS; round++) {
    let bytes = damage(original, random);
    while (bytes.length > 0 && random(3) === 0) bytes = damage(bytes, random);
    const cuts = [...recordOffsets(bytes), random(bytes.length + 1), random(bytes.length + 1)].sort((a, b) => a - b);
    const verdict = await drive(bytes, cuts);
    const wanted = naive(bytes, template);
    if (JSON.stringify(verdict) !== JSON.stringify(wanted)) expect([round, verdict]).toEqual([round, wanted]);
  }
}, 600_000);
