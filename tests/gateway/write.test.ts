/**
 * The write() callable (rules B01, B11, B18): blocks are sent as they are written, before anything the body yields.
 *
 * It gives undefined while the client keeps up, else a promise that settles on drain or departure and never rejects.
 */

import { ClientDisconnectedError } from "../../core/contract/request_body.ts";
import { describe, expect, test } from "vitest";
import { ApplicationError } from "../../core/contract/application.ts";
import { WriteError } from "../../core/gateway/gateway.ts";
import type { Application, Write } from "../../core/contract/types.ts";
import { call, type Called, NOTHING_THROWN, settle, thrownBy } from "./fake_exchange.ts";

/** Calls an application that writes with `script` and returns `body`. */
function writing(
  script: (write: Write) => unknown,
  body: string[] = [],
  headers: [string, string][] = [],
): Application {
  return (_environ, startResponse) => {
    script(startResponse("200 OK", headers));
    return body;
  };
}

describe("B18 order", () => {
  test("B18 everything written comes before the body, block by block", () => {
    const { exchange } = call(
      writing((write) => [write("a"), write(new Uint8Array([98])), write("\u00e9")], ["c", "d"]),
    );
    expect(exchange.calls).toEqual(["head 200 OK", "body a", "body b", "body \u00e9", "body c", "body d", "end"]);
  });

  test("B18 a block is sent in the call, not later", () => {
    const seen: number[] = [];
    const called: Called = call(
      (_environ, startResponse) => {
        const write = startResponse("200 OK", []);
        write("a");
        seen.push(called.exchange.calls.length);
        return [];
      },
      {},
      { later: true },
    );
    called.invocation.run();
    expect(seen).toEqual([2]);
  });

  test("B05 once write() was used, an array gives no Content-Length", () => {
    expect(call(writing((write) => write("a"), ["b"])).exchange.calls[0]).toBe("head 200 OK");
    expect(call(writing(() => {}, ["b"])).exchange.calls[0]).toBe("head 200 OK length 1");
  });

  for (const empty of ["", new Uint8Array(0)]) {
    test(`B01 write() of an empty ${typeof empty} sends the head and no block`, () => {
      const { exchange } = call(writing((write) => write(empty), ["b"]));
      expect(exchange.calls).toEqual(["head 200 OK", "body b", "end"]);
    });
  }
});

describe("B18 what it gives", () => {
  test("B18 undefined while the client keeps up", () => {
    const given: unknown[] = [];
    call(writing((write) => given.push(write("a"), write(""))));
    expect(given).toEqual([undefined, undefined]);
  });

  for (const event of ["drained", "departed"] as const) {
    test(`B18 else promises that settle when the invocation is ${event}`, async () => {
      const settled: string[] = [];
      const { invocation } = call(
        async (_environ, startResponse) => {
          const write = startResponse("200 OK", []);
          const promises = [write("a"), write("b")];
          promises.forEach((promise, i) => promise?.then(() => settled.push(`write ${i}`)));
          await Promise.all(promises);
          settled.push("all");
          return [];
        },
        {},
        { flow: false },
      );
      await settle();
      expect(settled).toEqual([]);
      invocation[event]();
      await settle();
      expect(settled).toEqual(["write 0", "write 1", "all"]);
    });
  }

  test("B21 after departure it sends nothing and throws nothing; who awaits it is told", async () => {
    const given: (Promise<void> | undefined)[] = [];
    const { invocation, exchange, log } = call(async (_environ, startResponse) => {
      const write = startResponse("200 OK", []);
      write("a");
      await settle();
      given.push(write("b"), write("c"));
      return ["d"];
    });
    invocation.departed();
    await settle();
    await settle();
    for (const promise of given) await expect(promise).rejects.toThrow(ClientDisconnectedError);
    expect([given.length, exchange.calls, log]).toEqual([2, ["head 200 OK", "body a"], []]);
  });

  test("B18 an ignored promise, or one nobody settles, is no unhandled rejection", async () => {
    const rejections: unknown[] = [];
    const note = (reason: unknown): void => void rejections.push(reason);
    process.on("unhandledRejection", note);
    const setup = { flow: false };
    call(writing((write) => write("a")), {}, setup).invocation.departed();
    const { invocation } = call(writing((write) => [write("a"), thrownBy(() => write(7 as never))], ["b"]), {}, setup);
    invocation.drained();
    await settle();
    process.off("unhandledRejection", note);
    expect(rejections).toEqual([]);
  });
});

describe("B18 after the application has returned, write() throws", () => {
  const late: Record<string, (keep: (write: Write) => void, attempt: (write: Write) => void) => Application> = {
    "a sync function": (keep) => writing(keep),
    "an async function": (keep) => async (_environ, startResponse) => {
      keep(startResponse("200 OK", []));
      await settle();
      return [];
    },
    "a function that threw": (keep) => (_environ, startResponse) => {
      keep(startResponse("200 OK", []));
      throw new Error("no");
    },
    "an async function that threw": (keep) => async (_environ, startResponse) => {
      keep(startResponse("200 OK", []));
      await settle();
      throw new Error("no");
    },
    "from inside a generator": (_keep, attempt) => (_environ, startResponse) =>
      (function* () {
        attempt(startResponse("200 OK", []));
        yield "x";
      })(),
  };
  for (const [name, make] of Object.entries(late)) {
    test(`B18 ${name}`, async () => {
      let kept: Write | undefined;
      let thrown: unknown;
      const attempt = (write: Write): void => void (thrown = thrownBy(() => write("late")));
      const { exchange } = call(make((write) => kept = write, attempt));
      await settle();
      await settle();
      if (kept !== undefined) attempt(kept);
      expect(thrown).toBeInstanceOf(WriteError);
      expect(exchange.calls.join()).not.toContain("late");
    });
  }
});

describe("B11 past the Content-Length", () => {
  const five: [string, string][] = [["Content-Length", "5"]];
  const cases: { name: string; blocks: string[]; sent: string[]; throws: boolean[] }[] = [
    { name: "exactly enough", blocks: ["abc", "de"], sent: ["body abc", "body de"], throws: [false, false] },
    { name: "empty blocks at the end", blocks: ["abcde", ""], sent: ["body abcde"], throws: [false, false] },
    { name: "one block too long", blocks: ["abcdefg"], sent: ["body abcde"], throws: [true] },
    { name: "the second too long", blocks: ["abc", "defg"], sent: ["body abc", "body de"], throws: [false, true] },
    { name: "one block too many", blocks: ["abcde", "f", "g"], sent: ["body abcde"], throws: [false, true, true] },
  ];
  for (const { name, blocks, sent, throws } of cases) {
    test(`B11 ${name}: the prefix that fits is sent, the surplus throws`, () => {
      let thrown: unknown[] = [];
      const { exchange } = call(
        writing((write) => thrown = blocks.map((block) => thrownBy(() => write(block))), [], five),
      );
      expect(exchange.calls).toEqual(["head 200 OK length 5", ...sent, "end"]);
      expect(thrown.map((error) => error !== NOTHING_THROWN)).toEqual(throws);
      for (const error of thrown) if (error !== NOTHING_THROWN) expect(error).toBeInstanceOf(WriteError);
    });
  }

  test("B11 let through, the error is logged once and the complete response ends well", () => {
    const { exchange, log } = call(writing((write) => write("abcdefg"), [], five));
    expect(exchange.calls).toEqual(["head 200 OK length 5", "body abcde", "end"]);
    expect(log.length).toBe(1);
    expect(log[0]).toContain("WriteError");
  });

  test("B12 fewer bytes written and yielded than promised: the response is cut off", () => {
    const { exchange, log } = call(writing((write) => write("ab"), ["c"], five));
    expect(exchange.calls).toEqual(["head 200 OK length 5", "body ab", "body c", "abort"]);
    expect([log.length, log[0]?.includes("2 bytes before its Content-Length of 5")]).toEqual([1, true]);
  });
});

describe("B04 writeBufferLimit", () => {
  /** Runs `script` against a slow client with a limit of 10 bytes. */
  function slow(script: (write: Write, called: () => Called) => unknown): Called {
    const called: Called = call(
      (_environ, startResponse) => {
        script(startResponse("200 OK", []), () => called);
        return [];
      },
      {},
      { flow: false, writeBufferLimit: 10, later: true },
    );
    called.invocation.run();
    return called;
  }

  test("B04 what goes past the limit while nobody awaits throws, and nothing of it is sent", () => {
    let thrown: unknown[] = [];
    const { exchange } = slow((write) => thrown = ["12345", "12345", "x"].map((block) => thrownBy(() => write(block))));
    expect(thrown.map((error) => error instanceof WriteError)).toEqual([false, false, true]);
    expect(exchange.calls.slice(0, 3)).toEqual(["head 200 OK", "body 12345", "body 12345"]);
    expect(exchange.calls).not.toContain("body x");
  });

  test("B04 one block may be larger than the limit; the next may not follow", () => {
    let thrown: unknown[] = [];
    slow((write) => thrown = ["x".repeat(30), "y"].map((block) => thrownBy(() => write(block))));
    expect(thrown.map((error) => error instanceof WriteError)).toEqual([false, true]);
  });

  test("B04 the count begins anew at a drain", () => {
    let thrown: unknown;
    slow((write, called) => {
      write("1234567890");
      called().invocation.drained();
      thrown = thrownBy(() => write("1234567890"));
    });
    expect(thrown).toBe(NOTHING_THROWN);
  });
});

describe("B16 a block that is none", () => {
  for (const block of [7, null, undefined, true, ["a"], {}, new ArrayBuffer(1), new Uint16Array(1), Symbol("s")]) {
    test(`B16 ${typeof block} ${String(block)} throws and sends nothing`, () => {
      let thrown: unknown;
      const { exchange } = call(writing((write) => thrown = thrownBy(() => write(block as never)), ["x"]));
      expect(thrown).toBeInstanceOf(ApplicationError);
      expect(exchange.calls).toEqual(["head 200 OK length 1", "body x", "end"]);
    });
  }
});

test("R12 after a replacement that was refused there is no head to send: write() throws", () => {
  let thrown: unknown;
  const { exchange } = call((_environ, startResponse) => {
    const write = startResponse("200 OK", []);
    thrownBy(() => startResponse("500", [], new Error("x")));
    thrown = thrownBy(() => write("a"));
    return [];
  });
  expect(thrown).toBeInstanceOf(Error);
  expect(exchange.calls).toEqual(["refuse 500 Internal Server Error"]);
});

for (
  const [name, environ, status] of [["HEAD", { REQUEST_METHOD: "HEAD" }, "200 OK"], ["204", {}, "204 No"]] as const
) {
  test(`B09, B10 on ${name} write() sends the head and no block`, () => {
    const { exchange } = call((_environ, startResponse) => {
      startResponse(status, [])("a");
      return ["b"];
    }, environ);
    expect(exchange.calls).toEqual([`head ${status} bodyless`, "end"]);
  });
}
