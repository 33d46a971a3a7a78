/**
 * Reads of wsgi.input that cannot be served (rules I04, I08, I09): bad sizes, overlaps, bodies that fail or are dropped.
 *
 * A read that rejects takes nothing and disturbs no other; one that waits is always woken.
 */

import { describe, expect, test } from "vitest";
import { InputStream, OverlappingReadError } from "../../core/contract/input_stream.ts";
import { InputClosedError, InputError, RequestBody, TruncatedBodyError } from "../../core/contract/request_body.ts";
import { settle } from "./fake_exchange.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (part: Uint8Array): string => new TextDecoder().decode(part);

function open(): { body: RequestBody; stream: InputStream } {
  const body = new RequestBody({ wanted() {} });
  return { body, stream: new InputStream(body, 65536) };
}

/** Every way to read. */
const READS: Record<string, (stream: InputStream) => Promise<unknown>> = {
  "read()": (stream) => stream.read(),
  "read(9)": (stream) => stream.read(9),
  "readline()": (stream) => stream.readline(),
  "readline(9)": (stream) => stream.readline(9),
  "readlines()": (stream) => stream.readlines(),
  "iteration": (stream) => stream[Symbol.asyncIterator]().next(),
};

describe("bad sizes", () => {
  const bad: unknown[] = [1.5, NaN, Infinity, -Infinity, "3", "", true, false, {}, [], 3n, Symbol("s"), () => 3];
  for (const method of ["read", "readline", "readlines"] as const) {
    for (const size of bad) {
      test(`I03 ${method}(${typeof size} ${String(size)}) rejects with a TypeError and takes nothing`, async () => {
        const { body, stream } = open();
        body.push(bytes("abc\n"));
        body.finish();
        const outcome = stream[method](size as number);
        await expect(outcome).rejects.toBeInstanceOf(TypeError);
        await expect(outcome).rejects.toThrow("expected a whole number of bytes");
        expect(text(await stream.read())).toBe("abc\n");
      });
    }
  }
});

describe("overlapping reads", () => {
  for (const [first, begin] of Object.entries(READS)) {
    for (const [second, overlap] of Object.entries(READS)) {
      test(`I04 ${second} while ${first} waits rejects, and the first one goes on`, async () => {
        const { body, stream } = open();
        const waiting = begin(stream);
        const late = overlap(stream);
        await expect(late).rejects.toBeInstanceOf(OverlappingReadError);
        await expect(overlap(stream)).rejects.toBeInstanceOf(OverlappingReadError);
        body.push(bytes("a\n"));
        body.finish();
        const got = await waiting;
        const rest = text(await stream.read());
        const all = got instanceof Uint8Array
          ? text(got)
          : Array.isArray(got)
          ? got.map(text).join("")
          : text((got as IteratorYieldResult<Uint8Array>).value);
        expect(all + rest).toBe("a\n");
      });
    }
  }

  test("I04 after an overlap that was refused, reading goes on as before", async () => {
    const { body, stream } = open();
    const waiting = stream.read(2);
    await expect(stream.read(1)).rejects.toThrow(OverlappingReadError);
    body.push(bytes("abc"));
    expect(text(await waiting)).toBe("ab");
    expect(text(await stream.read(1))).toBe("c");
  });
});

describe("bodies that fail", () => {
  for (const [name, begin] of Object.entries(READS)) {
    test(`I08 ${name} that waits is woken by the failure and rejects with it`, async () => {
      const { body, stream } = open();
      const failure = new TruncatedBodyError("cut");
      const waiting = begin(stream);
      body.fail(failure);
      await expect(waiting).rejects.toBe(failure);
      await expect(begin(stream)).rejects.toBe(failure); // and so does the next
    });

    test(`I08 ${name} that waits is woken when the body is dropped`, async () => {
      const { body, stream } = open();
      const waiting = begin(stream);
      body.discard("the response has ended");
      await expect(waiting).rejects.toBeInstanceOf(InputClosedError);
      await expect(waiting).rejects.toThrow("the response has ended");
    });

    test(`I08 ${name} after the body was dropped rejects, though bytes were there and it was complete`, async () => {
      const { body, stream } = open();
      body.push(bytes("abc\n"));
      body.finish();
      body.discard("the response has ended");
      await expect(begin(stream)).rejects.toBeInstanceOf(InputClosedError);
      expect(body.buffered).toBe(0);
    });
  }

  test("I08 readlines() over a body that fails rejects, though lines were there", async () => {
    const { body, stream } = open();
    body.push(bytes("a\nb"));
    body.fail(new TruncatedBodyError("cut"));
    await expect(stream.readlines()).rejects.toBeInstanceOf(TruncatedBodyError);
  });

  test("I08 the first error stays; a failed body takes no more bytes and gets no end", async () => {
    const { body, stream } = open();
    const first = new TruncatedBodyError("first");
    body.fail(first);
    body.fail(new InputError("second"));
    body.push(bytes("late"));
    body.finish();
    body.discard("over");
    expect(body.buffered).toBe(0);
    await expect(stream.read()).rejects.toBe(first);
  });

  test("I08 a complete body cannot fail any more", async () => {
    const { body, stream } = open();
    body.push(bytes("abc"));
    body.finish();
    body.fail(new TruncatedBodyError("late"));
    expect(text(await stream.read())).toBe("abc");
    expect((await stream.read()).length).toBe(0);
  });

  test("I03 read(0) gives nothing, even of a body that failed", async () => {
    const { body, stream } = open();
    body.fail(new TruncatedBodyError("cut"));
    expect((await stream.read(0)).length).toBe(0);
  });
});

test("reads that nobody awaits are no unhandled rejections", async () => {
  const rejections: unknown[] = [];
  const note = (reason: unknown): void => void rejections.push(reason);
  process.on("unhandledRejection", note);
  for (const begin of Object.values(READS)) {
    const { body, stream } = open();
    void begin(stream);
    void begin(stream);
    body.fail(new TruncatedBodyError("cut"));
    void begin(stream);
  }
  void open().stream.read("no" as never);
  await settle();
  process.off("unhandledRejection", note);
  expect(rejections).toEqual([]);
});

describe("the queue under the stream", () => {
  test("empty pushes wake nobody", async () => {
    const { body, stream } = open();
    void stream.read(1);
    await settle();
    body.push(new Uint8Array(0));
    expect([body.awaited, body.buffered]).toEqual([true, 0]);
  });

  test("I11 it is awaited while a read wants more than is here, and no longer", async () => {
    const { body, stream } = open();
    const waiting = stream.read(3);
    const seen = [body.awaited];
    for (const part of ["ab", "c"]) {
      body.push(bytes(part));
      seen.push(body.awaited);
    }
    await waiting;
    expect([...seen, body.awaited]).toEqual([true, true, false, false]);
  });

  for (const [name, begin] of Object.entries(READS)) {
    for (const ending of ["finish", "fail"] as const) {
      test(`I11 it is not awaited once ${name} has been settled by ${ending}`, async () => {
        const { body, stream } = open();
        const waiting = begin(stream);
        expect(body.awaited).toBe(true);
        if (ending === "finish") body.finish();
        else body.fail(new TruncatedBodyError("cut"));
        await waiting.catch(() => {});
        expect(body.awaited).toBe(false);
      });
    }
  }

  test("indexOf counts from the first byte that is left", () => {
    const { body } = open();
    for (const part of ["ab", "cab", "a"]) body.push(bytes(part));
    body.take(1);
    const of = (byte: string, from: number): number => body.indexOf(byte.charCodeAt(0), from);
    expect([of("b", 0), of("b", 1), of("a", 0), of("a", 3), of("c", 1), of("c", 2), of("z", 0), of("a", 5)]).toEqual(
      [0, 3, 2, 4, 1, -1, -1, -1],
    );
  });

  test("small pieces are gathered, large ones are blocks of their own; all are copies", () => {
    const { body } = open();
    const large = new Uint8Array(5000).fill(1);
    for (const piece of [bytes("ab"), bytes("c"), large, bytes("d")]) body.push(piece);
    large.fill(2);
    const taken = [body.takeBlock(), body.takeBlock(), body.takeBlock(), body.takeBlock()];
    expect(taken.map((block) => block.length)).toEqual([3, 5000, 1, 0]);
    expect(taken[1]?.every((byte) => byte === 1)).toBe(true);
    body.push(bytes("e"));
    expect(taken[2]).toEqual(bytes("d"));
  });

  test("a body in a million pieces is read at once: work grows with its bytes, not with their square", () => {
    const { body } = open();
    const piece = bytes("x");
    for (let i = 0; i < 1_000_000; i++) body.push(piece);
    expect(body.take(1_000_000).every((byte) => byte === 0x78)).toBe(true);
  });
});
