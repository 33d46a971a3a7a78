/**
 * Applications whose bodies take every form and end in every way.
 *
 * `counted` adds a `close()` that is counted; `pulls` counts how many blocks were asked for. What a test needs of
 * timing it gets from gates: a body that waits at a gate proves that what came before it was sent without it.
 *
 * @module
 */

import type { Body, StartResponse, Write } from "../../../core/contract/types.ts";
import { bump, counted, type Entry, gate, gateOrSignal, nameOf, note, type Table, watchSignal } from "./record.ts";

const plain: [string, string][] = [["Content-Type", "text/plain"]];

function start(startResponse: StartResponse, length: string | null, status: string = "200 OK"): Write {
  return startResponse(status, length === null ? plain : [...plain, ["Content-Length", length]]);
}

/** `count` blocks of `size` bytes, each octet a function of its place in the whole. */
export function block(index: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) bytes[i] = (index * 31 + i * 7 + (i >> 8)) & 0xff;
  return bytes;
}

async function* forever(entry: Entry, signal: AbortSignal, tick: boolean): AsyncGenerator<Uint8Array> {
  try {
    for (let i = 0;; i++) {
      bump(entry, "pulls");
      yield block(i, 1024);
      // Busy: a block each turn of the timer. Idle: wait until the test or the departure wakes it.
      if (tick) await new Promise((resolve) => setTimeout(resolve, 1));
      else await gateOrSignal(entry, signal);
    }
  } finally {
    bump(entry, "returned");
  }
}

/** Bodies by name for `/form`; each says "form". */
const forms: Readonly<Record<string, (entry: Entry) => unknown>> = {
  array: () => ["fo", "rm"],
  bytes: () => new TextEncoder().encode("form"),
  string: () => "form",
  set: () => new Set(["fo", "rm"]),
  generator: () =>
    (function* () {
      yield "fo";
      yield new TextEncoder().encode("rm");
    })(),
  asyncGenerator: () =>
    (async function* () {
      yield "fo";
      await Promise.resolve();
      yield "rm";
    })(),
  iterable: () => ({ [Symbol.iterator]: () => ["fo", "rm"][Symbol.iterator]() }),
  asyncIterable: () => ({
    [Symbol.asyncIterator]: () => {
      const parts = ["fo", "rm"];
      return {
        next: () =>
          Promise.resolve(parts.length > 0 ? { done: false, value: parts.shift() } : { done: true, value: undefined }),
      };
    },
  }),
  promiseArray: () => Promise.resolve(["fo", "rm"]),
  promiseString: () => Promise.resolve("form"),
  promiseGenerator: async () => {
    await Promise.resolve();
    return (async function* () {
      yield "form";
    })();
  },
  thenable: () => ({ then: (resolve: (body: unknown) => void) => resolve(["form"]) }),
};

/** Values that are no body, by name, for `/bad-body`. */
export const badBodies: Readonly<Record<string, unknown>> = {
  null: null,
  undefined,
  false: false,
  true: true,
  number: 42,
  object: {},
  date: new Date(0),
  fn: () => ["x"],
  bigint: 1n,
  symbol: Symbol("x"),
  promiseNull: Promise.resolve(null),
};

/** Values that are no block, by name, for `/bad-block`. */
export const badBlocks: Readonly<Record<string, unknown>> = {
  null: null,
  undefined,
  number: 5,
  false: false,
  array: ["x"],
  object: {},
  arrayBuffer: new ArrayBuffer(2),
  uint16: new Uint16Array(2),
  date: new Date(0),
};

/** Names of the forms. */
export const formNames: readonly string[] = Object.keys(forms);

/** Routes with bodies that end well. */
export const bodyTable: Table = {
  form: (_environ, startResponse, query, entry) => {
    start(startResponse, null);
    return forms[query.get("form") ?? "array"]!(entry) as Body;
  },
  "bad-body": (_environ, startResponse, query) => {
    start(startResponse, null);
    return badBodies[query.get("kind") ?? ""] as Body;
  },
  // B16: a bad block, before or after the head has been sent.
  "bad-block": (_environ, startResponse, query, entry) => {
    start(startResponse, null);
    const bad = badBlocks[query.get("kind") ?? ""] as string;
    return counted(
      query.get("after") === null ? [bad] : (function* () {
        yield "good;";
        yield bad;
      })(),
      entry,
    );
  },
  // Blocks from the query: `?blocks=a,,b&form=generator&length=5&status=204`.
  blocks: (_environ, startResponse, query, entry) => {
    start(startResponse, query.get("length"), query.get("status") ?? "200 OK");
    const blocks = (query.get("blocks") ?? "").split(",");
    const items = query.get("blocks") === null ? [] : blocks;
    if (query.get("form") === "array") return counted([...items], entry);
    return counted(
      (function* () {
        for (const item of items) {
          bump(entry, "pulls");
          yield item;
        }
      })(),
      entry,
    );
  },
  // An endless sync body: only a limit or a departure ends it.
  endless: (_environ, startResponse, query, entry) => {
    start(startResponse, query.get("length"));
    return counted(
      (function* () {
        try {
          for (;;) {
            bump(entry, "pulls");
            yield "0123456789";
          }
        } finally {
          bump(entry, "returned");
        }
      })(),
      entry,
    );
  },
  // B01: empty blocks, then a wait: nothing may have been sent; then the response is replaced.
  "empty-first": (_environ, startResponse, _query, entry) => {
    startResponse("200 OK", [["X-Old", "1"]]);
    return (async function* () {
      yield "";
      yield new Uint8Array(0);
      await gate(entry);
      startResponse("503 Replaced", plain, new Error("replaces"));
      yield "replaced";
    })();
  },
  // B01 by decision: write("") sends the head.
  "write-empty": async (_environ, startResponse, _query, entry) => {
    await start(startResponse, null)("");
    await gate(entry);
    return ["after"];
  },
  // B03: a block, then a wait.
  "block-then-wait": (_environ, startResponse, query, entry) => {
    start(startResponse, query.get("length"));
    return (async function* () {
      yield "first;";
      await gate(entry, "one");
      yield "second;";
      await gate(entry, "two");
      yield "third";
    })();
  },
  // B03 for write().
  "write-then-wait": async (_environ, startResponse, _query, entry) => {
    const write = start(startResponse, null);
    await write("first;");
    await gate(entry, "one");
    await write("second;");
    return ["third"];
  },
  // B05: write() used, and an array body.
  "write-and-array": (_environ, startResponse) => {
    const write = start(startResponse, null);
    void write("a");
    void write(new TextEncoder().encode("b"));
    return ["c", "d"];
  },
  // B11: what write() does at the Content-Length.
  "write-past": (_environ, startResponse, _query, entry) => {
    const write = start(startResponse, "5");
    note(entry, "writes", typeof write("123"));
    try {
      void write("456789");
      note(entry, "writes", "no error");
    } catch (error) {
      note(entry, "writes", nameOf(error));
    }
    return counted([], entry);
  },
  // B04: `count` blocks of 64 KiB, sync or async.
  plenty: (_environ, startResponse, query, entry) => {
    start(startResponse, null);
    const count = Number(query.get("count"));
    if (query.get("form") === "sync") {
      return counted(
        (function* () {
          for (let i = 0; i < count; i++) {
            bump(entry, "pulls");
            yield block(i, 65536);
          }
        })(),
        entry,
      );
    }
    return counted(
      (async function* () {
        for (let i = 0; i < count; i++) {
          bump(entry, "pulls");
          yield block(i, 65536);
        }
      })(),
      entry,
    );
  },
  // write() in a loop that awaits what it returns.
  "write-plenty": async (_environ, startResponse, query, entry) => {
    const write = start(startResponse, null);
    const count = Number(query.get("count"));
    for (let i = 0; i < count; i++) {
      const full = write(block(i, 65536));
      bump(entry, "pulls");
      if (full !== undefined) {
        bump(entry, "full");
        try {
          await full;
        } catch (error) {
          entry.gone = nameOf(error);
          return [];
        }
        bump(entry, "drained");
      }
    }
    return [];
  },
  // write() in a loop that ignores what it returns.
  "write-unawaited": (_environ, startResponse, _query, entry) => {
    const write = start(startResponse, null);
    for (let i = 0; i < 1024; i++) {
      bump(entry, "pulls");
      try {
        void write(block(i, 65536));
      } catch (error) {
        entry.error = nameOf(error);
        throw error;
      }
    }
    return [];
  },
  // One large block.
  large: (_environ, startResponse, query) => {
    start(startResponse, query.get("length"));
    return [block(0, Number(query.get("size")))];
  },
  // B19: all octets, line ends included.
  octets: (_environ, startResponse) => {
    startResponse("200 OK", [["Content-Type", "application/octet-stream"]]);
    return [
      Uint8Array.from({ length: 256 }, (_, i) => i),
      "\r\n\n\r\n0\r\n\r\n",
      Uint8Array.from({ length: 256 }, (_, i) => 255 - i),
    ];
  },
  // B17: which properties of the body are touched.
  touched: (_environ, startResponse, _query, entry) => {
    start(startResponse, null);
    const target = (function* () {
      yield "a";
      yield "b";
    })();
    return new Proxy(target, {
      get(object, key) {
        if (typeof key === "string") note(entry, "touched", key);
        const value = Reflect.get(object, key) as unknown;
        return typeof value === "function" ? value.bind(object) as unknown : value;
      },
    });
  },
  // A streaming body for departures: `?busy=1` keeps sending, else it waits.
  stream: (environ, startResponse, query, entry) => {
    start(startResponse, null);
    return counted(forever(entry, watchSignal(environ, entry), query.get("busy") !== null), entry);
  },
  // A body that comes only when the test says so, however long the client has been gone.
  slow: async (environ, startResponse, _query, entry) => {
    watchSignal(environ, entry);
    await gate(entry);
    start(startResponse, null);
    return counted(["slow"], entry);
  },
  // The same with one block of 8 MiB.
  "slow-large": async (_environ, startResponse, _query, entry) => {
    await gate(entry);
    start(startResponse, null);
    return [block(0, 8388608)];
  },
  // An async body that nothing can wake: its return() never settles. Or one that fails in its finally.
  stuck: (_environ, startResponse, query, entry) => {
    start(startResponse, null);
    const fails = query.get("fails") !== null;
    return counted(
      (async function* () {
        try {
          yield "first;";
          if (!fails) await new Promise(() => {});
          for (;;) {
            await new Promise((resolve) => setTimeout(resolve, 1));
            yield "more;";
          }
        } finally {
          bump(entry, "returned");
          // deno-lint-ignore no-unsafe-finally -- that is what is tested
          if (fails) throw new Error(`boom ${String(entry.key)}`);
        }
      })(),
      entry,
    );
  },
  // A normal response whose signal is watched.
  watched: (environ, startResponse, _query, entry) => {
    watchSignal(environ, entry);
    start(startResponse, null);
    return counted(["watched"], entry);
  },
};
