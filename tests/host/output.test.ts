/**
 * Output memory: what sockets commit in the course of one turn leaves whole, in order, and in few system calls.
 */

import fc from "fast-check";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { BatchedOutput, COPY_LIMIT, type Memory, takeBack } from "../../adapters/batched_transport.ts";
import type { Connection } from "../../core/seams.ts";

/** An output that keeps what is sent. */
class Recorded extends BatchedOutput {
  readonly sent: Uint8Array[] = [];
  readonly #reusable: boolean;

  constructor(reusable: boolean) {
    super((callback) => void setImmediate(callback));
    this.#reusable = reusable;
  }

  send(memory: Memory, length: number): boolean {
    this.sent.push(memory.bytes.slice(0, length));
    if (!this.#reusable) queueMicrotask(() => takeBack(memory));
    return this.#reusable;
  }

  protected give(bytes: Uint8Array): void {
    this.sent.push(bytes);
  }

  protected flowing(): boolean {
    return true;
  }

  put(length: number, value: number): void {
    const at = this.reserve(length);
    this.memory.fill(value, at, at + length);
    this.commit(length);
  }

  fed(receive: () => void): void {
    this.feed({ receive } as unknown as Connection, new Uint8Array(1));
  }

  destroyed(): void {
    this.drop();
  }

  get lengths(): number[] {
    return this.sent.map(({ length }) => length);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.sent);
  }
}

test("What a feed makes leaves once, when it ends", () => {
  const output = new Recorded(true);
  output.fed(() => {
    output.put(10, 1);
    output.put(20, 2);
    expect(output.sent).toEqual([]);
  });
  expect(output.lengths).toEqual([30]);
});

test("Outside a feed the first piece leaves in a microtask, and what follows at the end of the turn", async () => {
  const output = new Recorded(true);
  output.put(10, 1);
  await Promise.resolve();
  expect(output.lengths).toEqual([10]);
  output.put(20, 2);
  await Promise.resolve();
  output.put(30, 3);
  await Promise.resolve();
  expect(output.lengths).toEqual([10]);
  await turn();
  expect(output.lengths).toEqual([10, 50]);
});

test("Bursts of sockets beside each other are not cut up", async () => {
  const outputs = Array.from({ length: 16 }, () => new Recorded(false));
  for (const output of outputs) output.put(1, 0); // the first of each leaves at once
  await Promise.resolve();
  for (let i = 0; i < 10; i++) {
    for (const output of outputs) output.put(1000, i);
    await Promise.resolve();
  }
  await turn();
  expect(outputs.map(({ lengths }) => lengths)).toEqual(outputs.map(() => [1, 10_000]));
});

test("More sockets than may hold memory at a time flush one another, and lose nothing", async () => {
  const outputs = Array.from({ length: 1000 }, () => new Recorded(true));
  for (const [i, output] of outputs.entries()) output.put(3, i % 256);
  expect(outputs.filter(({ sent }) => sent.length === 0).length).toBeLessThanOrEqual(128);
  await turn();
  for (const [i, output] of outputs.entries()) expect([...output.bytes]).toEqual([i % 256, i % 256, i % 256]);
});

test("A socket that is destroyed forgets what it has not sent, and no other does", async () => {
  const [gone, stays] = [new Recorded(true), new Recorded(true)];
  gone.put(10, 1);
  stays.put(10, 2);
  gone.destroyed();
  await turn();
  expect(gone.sent).toEqual([]);
  expect(stays.lengths).toEqual([10]);
});

test("Any pieces of any sockets, in any order, arrive whole and in order", async () => {
  const step = fc.record({
    who: fc.nat(4),
    length: fc.oneof(fc.nat(100), fc.integer({ min: 1, max: 3 * COPY_LIMIT }), fc.constant(200_000)).map((n) => n + 1),
    how: fc.constantFrom("put", "write", "fed", "microtask", "turn"),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (steps, reusable) => {
      const outputs = Array.from({ length: 5 }, () => new Recorded(reusable));
      const expected = outputs.map((): Buffer[] => []);
      for (const [i, { who, length, how }] of steps.entries()) {
        const output = outputs[who]!;
        if (how === "microtask") await Promise.resolve();
        else if (how === "turn") await turn();
        else {
          if (how === "put") output.put(length, i);
          else if (how === "write") output.write(new Uint8Array(length).fill(i));
          else output.fed(() => output.put(length, i));
          expected[who]!.push(Buffer.alloc(length, i));
        }
      }
      await turn();
      await turn();
      for (const [who, output] of outputs.entries()) {
        expect(output.bytes.equals(Buffer.concat(expected[who]!))).toBe(true);
      }
    }),
    { numRuns: 200 },
  );
});
