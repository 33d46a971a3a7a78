/**
 * What an application may return, and how it is framed (rules B01 to B12, B15, B16, B19).
 *
 * A test is a body and the calls an Exchange gets for it. How bodies end is in `close.test.ts`.
 */

import { describe, expect, test } from "vitest";
import type { Application, Environ } from "../../core/contract/types.ts";
import { call, settle } from "./fake_exchange.ts";
import { BodyWatch, type Kind, KINDS } from "./observed_body.ts";

type Headers = readonly (readonly [string, string])[];

/** The calls that a body leads to, once nothing more happens. */
async function callsFor(
  body: unknown,
  { status = "200 OK", headers = [], environ = {} }: {
    status?: string;
    headers?: Headers;
    environ?: Partial<Environ>;
  } = {},
): Promise<{ calls: string[]; log: readonly string[] }> {
  const { exchange, log } = call((_environ, startResponse) => {
    startResponse(status, headers);
    return body as string[];
  }, environ);
  await settle();
  return { calls: exchange.calls, log };
}

const bytes = (...values: number[]): Uint8Array => new Uint8Array(values);

describe("B05, B15 bodies whose length is known", () => {
  const known: Record<string, [body: () => unknown, calls: string[]]> = {
    "a string": [() => "abc", ["head 200 OK length 3", "body abc", "end"]],
    "a string of letters beyond ASCII": [() => "\u0442\u0435\u0441\u0442", [
      "head 200 OK length 8",
      "body \u0442\u0435\u0441\u0442",
      "end",
    ]],
    "a lone surrogate": [() => "\ud800", ["head 200 OK length 3", "body \ufffd", "end"]],
    "an empty string": [() => "", ["head 200 OK length 0", "end"]],
    "a Uint8Array": [() => bytes(97, 98), ["head 200 OK length 2", "body ab", "end"]],
    "a Buffer": [() => Buffer.from("ab"), ["head 200 OK length 2", "body ab", "end"]],
    "part of a larger Uint8Array": [() => bytes(97, 98, 99).subarray(1, 2), ["head 200 OK length 1", "body b", "end"]],
    "an empty Uint8Array": [() => bytes(), ["head 200 OK length 0", "end"]],
    "an empty array": [() => [], ["head 200 OK length 0", "end"]],
    "an array of one": [() => ["ab"], ["head 200 OK length 2", "body ab", "end"]],
    "an array of several": [() => ["ab", bytes(99), "\u00e9"], [
      "head 200 OK length 5",
      "body ab",
      "body c",
      "body \u00e9",
      "end",
    ]],
    "an array with empty blocks": [() => ["", "a", bytes(), "b", ""], [
      "head 200 OK length 2",
      "body a",
      "body b",
      "end",
    ]],
    "an array of empty blocks": [() => ["", ""], ["head 200 OK length 0", "end"]],
    "a frozen array": [() => Object.freeze(["a"]), ["head 200 OK length 1", "body a", "end"]],
  };
  for (const [name, [body, calls]] of Object.entries(known)) {
    test(`B05 ${name}`, async () => expect(await callsFor(body())).toEqual({ calls, log: [] }));
    test(`B05 a promise of ${name}`, async () => {
      expect(await callsFor(Promise.resolve(body()))).toEqual({ calls, log: [] });
    });
  }

  test("B05 the application's own Content-Length is kept", async () => {
    const { calls } = await callsFor(["ab", "c"], { headers: [["Content-Length", "3"]] });
    expect(calls).toEqual(["head 200 OK length 3", "body ab", "body c", "end"]);
  });

  test("B19 bytes go out unaltered, the very array that was given", () => {
    const block = Uint8Array.from({ length: 256 }, (_, i) => i);
    const { exchange } = call((_environ, startResponse) => {
      startResponse("200 OK", []);
      return [block];
    });
    expect(exchange.blocks[0]).toBe(block);
  });
});

describe("bodies pulled block by block", () => {
  const scripts: Record<string, [script: unknown[], calls: string[]]> = {
    "blocks": [["ab", bytes(99)], ["head 200 OK", "body ab", "body c", "end"]],
    "empty blocks between": [["", "a", bytes(), "b", ""], ["head 200 OK", "body a", "body b", "end"]],
    "nothing": [[], ["head 200 OK length 0", "end"]],
    "nothing but empty blocks": [["", bytes()], ["head 200 OK length 0", "end"]],
  };
  for (const kind of KINDS) {
    for (const [name, [script, calls]] of Object.entries(scripts)) {
      test(`B01, B06 ${kind.name} of ${name}`, async () => {
        const watch = new BodyWatch();
        expect(await callsFor(kind.make(script, watch))).toEqual({ calls, log: [] });
        expect(watch).toMatchObject({ stops: 0, closes: 1, late: 0, pulls: script.length + 1 });
      });
    }

    test(`B03 ${kind.name}: each block is handed over before the next is pulled`, async () => {
      const order: string[] = [];
      const script = ["a", "b", "c"].map((block) => () => {
        order.push(`pull ${block} after ${called.exchange.blocks.length}`);
        return block;
      });
      const called = call(
        (_environ, startResponse) => {
          startResponse("200 OK", []);
          return kind.make(script, new BodyWatch());
        },
        {},
        { later: true },
      );
      called.invocation.run();
      await settle();
      expect(order).toEqual(["pull a after 0", "pull b after 1", "pull c after 2"]);
    });
  }
});

describe("B01 when the head goes out", () => {
  test("B01 an empty block does not send it, a wait does not either, the first byte does", async () => {
    const seen: number[] = [];
    const called = call(
      (_environ, startResponse) => {
        startResponse("200 OK", [["Content-Length", "1"]]);
        return (async function* () {
          yield "";
          seen.push(called.exchange.calls.length);
          await settle();
          seen.push(called.exchange.calls.length);
          yield "a";
          seen.push(called.exchange.calls.length);
        })();
      },
      {},
      { later: true },
    );
    called.invocation.run();
    await settle();
    await settle();
    expect(seen).toEqual([0, 0, 2]);
  });
});

describe("forms of application", () => {
  class Site {
    readonly #start: () => void;
    constructor(_environ: Environ, startResponse: (status: string, headers: []) => unknown) {
      this.#start = () => void startResponse("200 OK", []);
    }
    *[Symbol.iterator](): Generator<string> {
      this.#start();
      yield "a";
    }
  }
  const object = {
    word: "a",
    wsgiApp(_environ: Environ, startResponse: (status: string, headers: []) => unknown): Iterable<string> {
      startResponse("200 OK", []);
      return new Set([this.word]);
    },
  };
  for (const [name, app] of [["a class", Site], ["an object", object]] as [string, Application][]) {
    test(`${name} is called and iterated`, () =>
      expect(call(app).exchange.calls).toEqual(["head 200 OK", "body a", "end"]));
  }

  test("a Set, a Map's values and a boxed string are iterables", async () => {
    for (const body of [new Set(["a", "b"]), new Map([[1, "a"], [2, "b"]]).values(), new String("ab")]) {
      expect((await callsFor(body)).calls).toEqual(["head 200 OK", "body a", "body b", "end"]);
    }
  });

  test("a body that iterates both ways is iterated synchronously", async () => {
    const both = {
      ...asyncPart(),
      *[Symbol.iterator]() {
        yield "sync";
      },
    };
    expect((await callsFor(both)).calls).toEqual(["head 200 OK", "body sync", "end"]);
  });

  function asyncPart(): AsyncIterable<string> {
    return {
      async *[Symbol.asyncIterator]() {
        yield await Promise.resolve("async");
      },
    };
  }
});

describe("B09, B10 responses without a body", () => {
  /** With the lengths that a wire is told: of an array, of a generator, of a body with a Content-Length. */
  const bodyless: [string, string, Partial<Environ>, array: string, generator: string, given: string][] = [
    ["HEAD", "200 OK", { REQUEST_METHOD: "HEAD" }, " length 3", "", " length 12345"],
    ["204", "204 No Content", {}, "", "", ""],
    ["14.31 205", "205 Reset Content", {}, " length 0", " length 0", " length 0"],
    ["304", "304 Not Modified", {}, "", "", " length 12345"],
    ["HEAD with 204", "204 No Content", { REQUEST_METHOD: "HEAD" }, "", "", ""],
    ["14.31 HEAD with 205", "205 Reset Content", { REQUEST_METHOD: "HEAD" }, " length 0", " length 0", " length 0"],
  ];
  for (const [name, status, environ, array, generator, given] of bodyless) {
    for (const kind of KINDS) {
      test(`B09 ${name}, ${kind.name}: pulled to the first byte, none sent, then closed`, async () => {
        const watch = new BodyWatch();
        const { calls, log } = await callsFor(kind.make(["", "a", "b"], watch), { status, environ });
        expect([calls, log]).toEqual([[`head ${status}${generator} bodyless`, "end"], []]);
        expect(watch).toMatchObject({ pulls: 2, stops: kind.stoppable ? 1 : 0, closes: 1, late: 0 });
      });
    }

    test(`B05, B09 ${name}: an array tells the length of the content, where there may be any`, async () => {
      expect((await callsFor(["ab", "c"], { status, environ })).calls).toEqual([
        `head ${status}${array} bodyless`,
        "end",
      ]);
    });

    test(`B08 ${name}: the application's Content-Length is handed on where it may be, and nothing is missing`, async () => {
      const headers: Headers = [["Content-Length", "12345"]];
      for (const body of [[], ["ab"], "", KINDS[2]?.make(["x"], new BodyWatch())]) {
        const { calls, log } = await callsFor(body, { status, environ, headers });
        expect([calls, log]).toEqual([[`head ${status}${given} bodyless`, "end"], []]);
      }
    });
  }

  test("B09 the method is the client's, whatever the application does to the environ", () => {
    const { exchange } = call((environ, startResponse) => {
      environ.REQUEST_METHOD = "GET";
      startResponse("200 OK", []);
      return ["a"];
    }, { REQUEST_METHOD: "HEAD" });
    expect(exchange.calls).toEqual(["head 200 OK length 1 bodyless", "end"]);
  });

  test("B09 a method that only looks like HEAD has a body", () => {
    const { exchange } = call((_environ, startResponse) => {
      startResponse("200 OK", []);
      return ["a"];
    }, { REQUEST_METHOD: "head" });
    expect(exchange.calls).toEqual(["head 200 OK length 1", "body a", "end"]);
  });
});

describe("B11, B12 bodies and Content-Length", () => {
  const three: Headers = [["Content-Length", "3"]];
  const scripts: Record<string, [script: string[], sent: string[], ending: string, log: RegExp | null]> = {
    "exact": [["ab", "c"], ["body ab", "body c"], "end", null],
    "exact, then empty blocks": [["abc", "", ""], ["body abc"], "end", null],
    "a block too long": [["ab", "cd", "e"], ["body ab", "body c"], "end", /longer than its Content-Length of 3/],
    "a block too many": [["abc", "d", "e"], ["body abc"], "end", /longer than its Content-Length of 3/],
    "too short": [["ab"], ["body ab"], "abort", /1 bytes before its Content-Length of 3; the connection was cut/],
    "nothing": [[], [], "abort", /3 bytes before/],
  };
  const array: Kind = { name: "an array", async: false, stoppable: false, make: (script) => [...script] as string[] };
  for (const kind of [array, ...KINDS]) {
    for (const [name, [script, sent, ending, logged]] of Object.entries(scripts)) {
      test(`B11, B12 ${kind.name}: ${name}`, async () => {
        const { calls, log } = await callsFor(kind.make(script, new BodyWatch()), { headers: three });
        expect(calls).toEqual(["head 200 OK length 3", ...sent, ending]);
        expect(log.length).toBe(logged === null ? 0 : 1);
        if (logged !== null) expect(log[0]).toMatch(logged);
      });
    }
  }

  test("B02, B11 a Content-Length of 0 lets no byte out", async () => {
    const { calls } = await callsFor(["a"], { headers: [["Content-Length", "0"]] });
    expect(calls).toEqual(["head 200 OK length 0", "end"]);
  });
});
