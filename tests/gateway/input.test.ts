/**
 * wsgi.input against a model (rules I01 to I07, I14): whatever the split of the bytes and the order of the reads, the
 * stream gives what slicing the whole body would give, and each byte once.
 *
 * The model keeps the whole body and a position. A result is spoilt as soon as it has been compared: were it shared
 * with the queue or with another result, a later one would come out wrong.
 */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InputStream } from "../../core/contract/input_stream.ts";
import { MalformedBodyError, RequestBody } from "../../core/contract/request_body.ts";

const LF = 0x0a;

type Operation =
  | { readonly kind: "read" | "readline" | "readlines"; readonly size: number | null | undefined }
  | { readonly kind: "next"; readonly size?: undefined };

/** The body as a whole. */
class Model {
  readonly whole: Uint8Array;
  readonly #limit: number;
  at = 0;

  constructor(whole: Uint8Array, limit: number) {
    this.whole = whole;
    this.#limit = limit;
  }

  get left(): number {
    return this.whole.length - this.at;
  }

  take(count: number): Uint8Array {
    const from = this.at;
    this.at = Math.min(this.whole.length, from + count);
    return this.whole.slice(from, this.at);
  }

  read(size: number | null | undefined): Uint8Array {
    return this.take(size === undefined || size === null || size < 0 ? Infinity : size);
  }

  /** Bytes that the next line has, when it may have `limit`. */
  lineLength(limit: number): number {
    const end = this.whole.indexOf(LF, this.at);
    return Math.min(end < 0 ? Infinity : end + 1 - this.at, limit);
  }

  readline(size: number | null | undefined): Uint8Array {
    return this.take(this.lineLength(size === undefined || size === null || size < 0 ? this.#limit : size));
  }

  readlines(hint: number | null | undefined): Uint8Array[] {
    const lines: Uint8Array[] = [];
    const enough = hint === undefined || hint === null || hint <= 0 ? Infinity : hint;
    for (let total = 0; total < enough && this.left > 0;) {
      const line = this.take(this.lineLength(Infinity));
      lines.push(line);
      total += line.length;
    }
    return lines;
  }
}

/** Pushes chunks one by one: some at once, the others when they are asked for, at once or later. */
function feed(
  chunks: readonly Uint8Array[],
  early: number,
  at: "once" | "later",
  end: (body: RequestBody) => void,
): RequestBody {
  let next = 0;
  const step = (): void => {
    const chunk = chunks[next++];
    if (chunk === undefined) return end(body);
    body.push(chunk.slice());
    if (chunk.length === 0) step(); // it wakes nobody, and nobody asks twice
  };
  const body = new RequestBody({ wanted: () => at === "once" ? step() : setTimeout(step, 0) });
  while (next < early && next < chunks.length) step();
  return body;
}

const letters = fc.constantFrom(0x61, 0x62, 0x0d, LF, LF);
const chunks = fc.array(fc.array(letters, { maxLength: 12 }).map((list) => Uint8Array.from(list)), { maxLength: 8 });
const size = fc.oneof(fc.constantFrom(undefined, null, -1, 0, 1), fc.integer({ min: 0, max: 30 }));
const sized = fc.record({ kind: fc.constantFrom("read", "readline", "readlines"), size });
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: sized as fc.Arbitrary<Operation> },
  { weight: 1, arbitrary: fc.constant({ kind: "next" } as const) },
);
const plan = fc.record({
  chunks,
  early: fc.integer({ min: 0, max: 8 }),
  operations: fc.array(operation, { maxLength: 12 }),
  limit: fc.integer({ min: 1, max: 10 }),
  at: fc.constantFrom("once", "later"),
});

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Compares one result with the model and spoils it. */
async function step(stream: InputStream, model: Model, { kind, size }: Operation): Promise<void> {
  if (kind === "readlines") {
    const lines = await stream.readlines(size);
    expect(lines).toEqual(model.readlines(size));
    for (const line of lines) line.fill(0xff);
  } else if (kind === "next") {
    const { done, value } = await stream[Symbol.asyncIterator]().next();
    expect(done === true).toBe(model.left === 0);
    if (value === undefined) return;
    expect(value.length).toBeGreaterThan(0);
    expect(value).toEqual(model.take(value.length));
    value.fill(0xff);
  } else {
    const result = await stream[kind](size);
    expect(result).toEqual(model[kind](size));
    result.fill(0xff);
  }
}

test("I02 to I07 any reads over any split give the bytes of the whole body, each once", async () => {
  await fc.assert(
    fc.asyncProperty(plan, async ({ chunks, early, operations, limit, at }) => {
      const model = new Model(joined(chunks), limit);
      const stream = new InputStream(feed(chunks, early, at, (body) => body.finish()), limit);
      for (const one of operations) await step(stream, model, one);
      await step(stream, model, { kind: "read", size: undefined });
      for (const kind of ["read", "readline", "readlines", "next"] as const) {
        await step(stream, model, { kind, size: undefined } as Operation); // I03: at the end, again and again
      }
      expect(model.left).toBe(0);
    }),
    { numRuns: 400 },
  );
});

test("I08 over a body that fails, what is there can be read and what is not rejects and takes nothing", async () => {
  await fc.assert(
    fc.asyncProperty(plan, async ({ chunks, early, operations, limit, at }) => {
      const model = new Model(joined(chunks), limit);
      const failure = new MalformedBodyError("broken");
      const stream = new InputStream(feed(chunks, early, at, (body) => body.fail(failure)), limit);
      for (const one of operations) {
        if (one.kind === "readlines") continue; // takes lines one by one: see below
        const wants = {
          read: () => one.size === undefined || one.size === null || one.size < 0 ? Infinity : one.size,
          readline: () =>
            model.lineLength(one.size === undefined || one.size === null || one.size < 0 ? limit : one.size),
          next: () => 1,
        }[one.kind]();
        if (wants <= model.left) await step(stream, model, one);
        else await expect(step(stream, model, one)).rejects.toBe(failure);
      }
      await expect(stream.read()).rejects.toBe(failure);
      await expect(stream.readlines()).rejects.toBe(failure);
    }),
    { numRuns: 400 },
  );
});

describe("a table of reads", () => {
  const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);
  const over = (...parts: string[]): InputStream => {
    const bytes = parts.map((part) => new TextEncoder().encode(part));
    return new InputStream(feed(bytes, 0, "later", (body) => body.finish()), 8);
  };

  test("I07 read, readline and iteration share one position", async () => {
    const stream = over("abcde", "f\ngh", "i\n", "rest");
    const got = [text(await stream.read(3)), text(await stream.readline())];
    for await (const part of stream) got.push(text(part));
    expect(got).toEqual(["abc", "def\n", "gh", "i\n", "rest"]);
  });

  test("I06 leaving a loop early keeps the rest readable", async () => {
    const stream = over("a", "b", "c");
    for await (const part of stream) if (text(part) === "a") break;
    expect(text(await stream.read())).toBe("bc");
  });

  test("I04 read(n) waits for n bytes and is short only at the end", async () => {
    const stream = over("ab", "cd", "e");
    expect([text(await stream.read(3)), text(await stream.read(3)), text(await stream.read(3))]).toEqual([
      "abc",
      "de",
      "",
    ]);
  });

  test("I05 lines keep their ends, over any split; the last may lack it", async () => {
    const stream = over("a\r", "\n", "\nb", "c");
    expect((await stream.readlines()).map(text)).toEqual(["a\r\n", "\n", "bc"]);
  });

  test("I05 readline() without a size gives at most limitReadline bytes, with a size at most that many", async () => {
    const stream = over("0123456789\n", "0123456789\n");
    const got = [
      await stream.readline(),
      await stream.readline(),
      await stream.readline(10),
      await stream.readline(10),
    ];
    expect(got.map(text)).toEqual(["01234567", "89\n", "0123456789", "\n"]);
  });

  test("I06 readlines(hint) ends with the line that reaches the hint; a line may be longer than limitReadline", async () => {
    const stream = over("0123456789\n", "a\nb\nc\n");
    expect((await stream.readlines(12)).map(text)).toEqual(["0123456789\n", "a\n"]);
    expect((await stream.readlines(1)).map(text)).toEqual(["b\n"]);
  });

  test("I03 read(0) and readline(0) give nothing and ask for nothing", async () => {
    let asked = 0;
    const stream = new InputStream(new RequestBody({ wanted: () => void asked++ }), 8);
    expect([(await stream.read(0)).length, (await stream.readline(0)).length, asked]).toEqual([0, 0, 0]);
  });

  test("I14 an empty body ends at once", async () => {
    const stream = new InputStream(RequestBody.empty(), 8);
    expect([await stream.read(), await stream.readline(), await stream.readlines()]).toEqual([
      new Uint8Array(0),
      new Uint8Array(0),
      [],
    ]);
    for await (const _ of stream) expect.unreachable();
  });

  test("I11 bytes that are here are read without asking the wire for more", async () => {
    let asked = 0;
    const body = new RequestBody({ wanted: () => void asked++ });
    body.push(new TextEncoder().encode("ab\ncd"));
    const stream = new InputStream(body, 8);
    expect([text(await stream.readline()), text(await stream.read(2)), asked]).toEqual(["ab\n", "cd", 0]);
    const waiting = stream.read(1);
    expect([body.awaited, asked]).toEqual([true, 1]);
    body.finish();
    expect([(await waiting).length, body.awaited]).toEqual([0, false]);
  });

  const big = Buffer.from(new Uint8Array(5000).fill(0x61).buffer); // as a host gives it
  test.each([
    ["lent bytes are copied", false, big, 0, 5000, false],
    ["given bytes that fill their memory are kept", true, big, 0, 5000, true],
    ["given bytes with others before them are copied", true, big, 1, 5000, false],
    ["given bytes with others behind them are copied", true, big, 0, 4999, false],
    ["given bytes in the middle of a larger memory are copied", true, big.subarray(0, 2000), 0, 2000, false],
    ["few bytes are copied, so that many pieces share memory", true, big.subarray(0, 10).slice(), 0, 10, false],
  ])("%s, and whoever reads has all of their memory", async (_, given, bytes, start, end, kept) => {
    const body = new RequestBody({ wanted: () => {} }, given);
    body.push(bytes, start, end);
    body.finish();
    const result = await new InputStream(body, 8).read();
    expect(result.constructor).toBe(Uint8Array); // not Buffer
    expect([result.length, result.buffer.byteLength]).toEqual([end - start, end - start]);
    expect(result.buffer === bytes.buffer).toBe(kept);
  });
});

describe("16.2 what is here without waiting", () => {
  test("16.2 a body that is empty has ended; another one when all of it has been read", async () => {
    expect(new InputStream(RequestBody.empty(), 100).ended).toBe(true);
    const body = new RequestBody({ wanted: () => {} });
    const input = new InputStream(body, 100);
    expect([input.ended, input.readAvailable()]).toEqual([false, undefined]);
    body.push(new Uint8Array([1, 2, 3]));
    body.finish();
    expect(input.ended).toBe(false);
    expect(await input.read(1)).toEqual(new Uint8Array([1]));
    expect(input.readAvailable()).toEqual(new Uint8Array([2, 3]));
    expect([input.ended, input.readAvailable()]).toEqual([true, undefined]);
  });

  test("16.2 a read that waits keeps its bytes, and a body that has failed is left to a read", async () => {
    const body = new RequestBody({ wanted: () => {} });
    const input = new InputStream(body, 100);
    const waiting = input.read(2);
    body.push(new Uint8Array([1]));
    expect(input.readAvailable()).toBe(undefined);
    body.fail(new MalformedBodyError("bad"));
    await expect(waiting).rejects.toThrow("bad");
    expect(input.readAvailable()).toEqual(new Uint8Array([1]));
    expect([input.ended, input.readAvailable()]).toEqual([false, undefined]);
    await expect(input.read()).rejects.toThrow("bad");
  });
});
