/**
 * Every ending is the same ending (rules B13, B14, B21, B22): the iterator is stopped if and only if it is not
 * exhausted, then `close()` is called, once.
 *
 * A table of endings, each a script, times the kinds of body.
 */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Application, Environ, StartResponse } from "../../core/contract/types.ts";
import type { RawSocket } from "../../core/seams.ts";
import { call, type Called, type Gate, gate, settle, type Setup, thrownBy } from "./fake_exchange.ts";
import { BodyWatch, type Kind, KINDS, type Script } from "./observed_body.ts";

const failure = new Error("on purpose");
const OK = "head 200 OK";
const socket = { leftover: new Uint8Array(0) } as RawSocket;

/** What a script may use. */
interface Stage {
  readonly startResponse: StartResponse;
  readonly environ: Environ;
  /** For steps that wait. */
  readonly gate: Gate;
}

interface Ending {
  readonly name: string;
  readonly script: (stage: Stage) => Script;
  readonly status?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly environ?: Partial<Environ>;
  readonly setup?: Setup;
  /** False: startResponse is not called. */
  readonly start?: boolean;
  /** Only for bodies that may wait. */
  readonly waits?: boolean;
  /** The application itself waits for the gate before it returns the body. */
  readonly late?: boolean;
  /** Done once the application has been called. */
  readonly then?: (called: Called, stage: Gate) => void;
  readonly calls: readonly string[];
  /** Calls of `return` on a body that has one. Null: the body was never begun. */
  readonly stops: number | null;
  /** Texts logged. */
  readonly logs: number;
}

const throws = (): never => {
  throw failure;
};
const depart = ({ invocation }: Called, { open }: Gate): void => {
  invocation.departed();
  open();
};

const ENDINGS: readonly Ending[] = [
  { name: "the end", script: () => ["a", "b"], calls: [OK, "body a", "body b", "end"], stops: 0, logs: 0 },
  { name: "an empty end", script: () => [], calls: [`${OK} length 0`, "end"], stops: 0, logs: 0 },
  {
    name: "a throw before the head",
    script: () => ["", throws, "b"],
    calls: ["refuse 500 Internal Server Error"],
    stops: 0,
    logs: 1,
  },
  {
    name: "a throw after the head",
    script: () => ["a", throws, "b"],
    calls: [OK, "body a", "abort"],
    stops: 0,
    logs: 1,
  },
  {
    name: "excInfo let through",
    script: ({ startResponse }) => ["a", () => startResponse("500 Oh", [], failure), "b"],
    calls: [OK, "body a", "abort"],
    stops: 0,
    logs: 1,
  },
  {
    name: "excInfo swallowed",
    script: ({ startResponse }) => ["a", () => (thrownBy(() => startResponse("500 Oh", [], failure)), "b"), "c"],
    calls: [OK, "body a", "abort"],
    stops: 1,
    logs: 1,
  },
  {
    name: "departure before the body was returned",
    script: () => ["a"],
    late: true,
    then: depart,
    calls: [],
    stops: null,
    logs: 0,
  },
  {
    name: "departure while the first block is awaited",
    script: ({ gate }) => [() => gate.passed.then(() => "a"), "b"],
    waits: true,
    then: depart,
    calls: [],
    stops: 1,
    logs: 0,
  },
  {
    name: "departure while a later block is awaited",
    script: ({ gate }) => ["a", () => gate.passed.then(() => "b"), "c"],
    waits: true,
    then: depart,
    calls: [OK, "body a"],
    stops: 1,
    logs: 0,
  },
  {
    name: "departure while output waits for the client",
    script: () => ["a", "b"],
    setup: { flow: false },
    then: depart,
    calls: [OK, "body a"],
    stops: 1,
    logs: 0,
  },
  {
    name: "departure between turns",
    script: () => ["x".repeat(1 << 20), "b"],
    then: depart,
    calls: [OK, "body 1048576 bytes"],
    stops: 1,
    logs: 0,
  },
  {
    name: "HEAD",
    script: () => ["a", "b"],
    environ: { REQUEST_METHOD: "HEAD" },
    calls: [`${OK} bodyless`, "end"],
    stops: 1,
    logs: 0,
  },
  { name: "304", script: () => ["a"], status: "304 Same", calls: ["head 304 Same bodyless", "end"], stops: 1, logs: 0 },
  {
    name: "surplus",
    script: () => ["ab", "c"],
    headers: [["Content-Length", "1"]],
    calls: [`${OK} length 1`, "body a", "end"],
    stops: 1,
    logs: 1,
  },
  {
    name: "too few bytes",
    script: () => ["a"],
    headers: [["Content-Length", "2"]],
    calls: [`${OK} length 2`, "body a", "abort"],
    stops: 0,
    logs: 1,
  },
  {
    name: "a bad block before the head",
    script: () => [7, "b"],
    calls: ["refuse 500 Internal Server Error"],
    stops: 1,
    logs: 1,
  },
  {
    name: "a bad block after the head",
    script: () => ["a", null, "b"],
    calls: [OK, "body a", "abort"],
    stops: 1,
    logs: 1,
  },
  {
    name: "a block without startResponse",
    script: () => ["", "b"],
    start: false,
    calls: ["refuse 500 Internal Server Error"],
    stops: 1,
    logs: 1,
  },
  {
    name: "an end without startResponse",
    script: () => [],
    start: false,
    calls: ["refuse 500 Internal Server Error"],
    stops: 0,
    logs: 1,
  },
  {
    name: "an Upgrade in the body",
    script: ({ environ }) => [() => (environ["tsgi.request"].rawSocket(), "a"), "b"],
    setup: { socket },
    calls: ["upgrade raw"],
    stops: 1,
    logs: 0,
  },
];

async function play(ending: Ending, kind: Kind, watch: BodyWatch): Promise<Called> {
  const stage = gate();
  const app: Application = (environ, startResponse) => {
    if (ending.start !== false) startResponse(ending.status ?? "200 OK", ending.headers ?? []);
    const body = kind.make(ending.script({ startResponse, environ, gate: stage }), watch);
    return ending.late === true ? stage.passed.then(() => body) : body;
  };
  const called = call(app, ending.environ, ending.setup);
  // Output above: a promise needs microtasks, but the turn after a MiB must not have come yet.
  for (let i = 0; i < 50; i++) await Promise.resolve();
  ending.then?.(called, stage);
  await settle();
  await settle();
  return called;
}

for (const ending of ENDINGS) {
  describe(`B13 ${ending.name}`, () => {
    for (const kind of KINDS.filter((kind) => kind.async || ending.waits !== true)) {
      test(`B13 ${kind.name} is closed once`, async () => {
        const watch = new BodyWatch();
        const { exchange, log } = await play(ending, kind, watch);
        expect(exchange.calls).toEqual(ending.calls);
        expect(watch.closes).toBe(1);
        expect(log.length, log.join("")).toBe(ending.logs);
        expect(watch.late).toBe(0);
        if (ending.stops === null) expect(watch.pulls).toBe(0);
        else expect(watch.stops).toBe(kind.stoppable ? ending.stops : 0);
      });
    }
  });
}

describe("B13 bodies that are not iterated", () => {
  const bodies: Record<string, (close: () => void) => unknown> = {
    "an array": (close) => Object.assign(["a"], { close }),
    "a Uint8Array": (close) => Object.assign(new Uint8Array([97]), { close }),
    "a promise of an array": (close) => Promise.resolve(Object.assign(["a"], { close })),
    "an array with a bad block": (close) => Object.assign(["a", 7], { close }),
    "an object that is no body": (close) => ({ close }),
    "an object whose iterator cannot be had": (close) => ({ close, [Symbol.iterator]: throws }),
    "an object whose async iterator cannot be had": (close) => ({ close, [Symbol.asyncIterator]: throws }),
  };
  for (const [name, make] of Object.entries(bodies)) {
    for (const environ of [{}, { REQUEST_METHOD: "HEAD" }]) {
      test(`B13 ${name} is closed once (${environ.REQUEST_METHOD ?? "GET"})`, async () => {
        const close = vi.fn();
        call((_environ, startResponse) => {
          startResponse("200 OK", []);
          return make(close) as string[];
        }, environ);
        await settle();
        expect(close).toHaveBeenCalledTimes(1);
      });
    }
  }

  test("B13 a body returned behind an Upgrade is closed, not iterated and not sent", async () => {
    const watch = new BodyWatch();
    const { exchange } = call(
      (environ) => {
        environ["tsgi.request"].rawSocket();
        return KINDS[2]?.make(["a"], watch) as Iterable<string>;
      },
      {},
      { socket },
    );
    await settle();
    expect([exchange.calls, watch.pulls, watch.closes]).toEqual([["upgrade raw"], 0, 1]);
  });

  test("B22 a stream returned after departure is cancelled: nobody else could", async () => {
    const cancel = vi.fn();
    const wait = gate();
    const { invocation } = call(async (_environ, startResponse) => {
      await wait.passed;
      startResponse("200 OK", []);
      return new ReadableStream<Uint8Array>({ cancel });
    });
    invocation.departed();
    wait.open();
    await settle();
    expect(cancel).toHaveBeenCalledTimes(1);
  });
});

test("B13 close() is called with the body as this, after return()", async () => {
  const order: unknown[] = [];
  const body = {
    *[Symbol.iterator]() {
      try {
        yield "a";
        yield "b";
      } finally {
        order.push("return");
      }
    },
    close() {
      order.push(this === body);
    },
  };
  call((_environ, startResponse) => {
    startResponse("200 OK", []);
    return body;
  }, { REQUEST_METHOD: "HEAD" });
  await settle();
  expect(order).toEqual(["return", true]);
});

describe("B14 close() and return() that fail", () => {
  const rejects = (): Promise<never> => Promise.reject(failure);
  for (const [name, close] of [["throws", throws], ["rejects", rejects]] as const) {
    test(`B14 a close() that ${name} is logged once and disturbs nothing`, async () => {
      const { exchange, log } = call((_environ, startResponse) => {
        startResponse("200 OK", []);
        return Object.assign(["a"], { close });
      });
      await settle();
      expect(exchange.calls).toEqual(["head 200 OK length 1", "body a", "end"]);
      expect(log.length).toBe(1);
      expect(log[0]).toContain("close(): Error: on purpose");
    });

    test(`B14 a return() that ${name} is logged once, and close() is called all the same`, async () => {
      const closed = vi.fn();
      const iterator = { next: () => ({ done: false, value: "a" }), return: close };
      const { exchange, log } = call((_environ, startResponse) => {
        startResponse("200 OK", []);
        return { [Symbol.iterator]: () => iterator, close: closed } as unknown as Iterable<string>;
      }, { REQUEST_METHOD: "HEAD" });
      await settle();
      expect(exchange.calls).toEqual(["head 200 OK bodyless", "end"]);
      expect([log.length, closed.mock.calls.length]).toEqual([1, 1]);
    });
  }

  test("B14 a close that is no function is left alone", async () => {
    const { exchange, log } = call((_environ, startResponse) => {
      startResponse("200 OK", []);
      return Object.assign(["a"], { close: "no" });
    });
    await settle();
    expect([exchange.calls.at(-1), log]).toEqual(["end", []]);
  });
});

describe("B21 a body that hangs", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  async function hang(): Promise<{ close: ReturnType<typeof vi.fn>; wait: Gate; called: Called }> {
    const close = vi.fn();
    const wait = gate();
    const called = call((_environ, startResponse) => {
      const body = (async function* () {
        startResponse("200 OK", []);
        yield "a";
        await wait.passed;
      })();
      return Object.assign(body, { close });
    });
    await vi.advanceTimersByTimeAsync(10);
    called.invocation.departed();
    return { close, wait, called };
  }

  test("B21 close() is called at the deadline, and not again when the body goes on", async () => {
    const { close, wait, called } = await hang();
    await vi.advanceTimersByTimeAsync(4000);
    expect(close).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(2000);
    expect(close).toHaveBeenCalledTimes(1);
    wait.open();
    await vi.advanceTimersByTimeAsync(10000);
    expect([close.mock.calls.length, called.log]).toEqual([1, []]);
  });

  test("B21 close() is called as soon as return() settles, and the timer is gone", async () => {
    const { close, wait } = await hang();
    wait.open();
    await vi.advanceTimersByTimeAsync(1);
    expect([close.mock.calls.length, vi.getTimerCount()]).toEqual([1, 0]);
  });
});
