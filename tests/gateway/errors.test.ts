/**
 * What becomes of failures (rules X01, X02, X10 to X13, B15, B16, R15, I09, B21).
 *
 * Before the head a failure becomes an answer in the wire's words; behind it the response is cut off, unless all that
 * was promised is out. Either way it is logged once, and the client is told nothing of it.
 */

import { describe, expect, test } from "vitest";
import { errorText } from "../../core/errors.ts";
import { ErrorStream } from "../../core/contract/error_stream.ts";
import { ClientDisconnectedError } from "../../core/contract/request_body.ts";
import {
  BodyTooLargeError,
  InputClosedError,
  InputError,
  MalformedBodyError,
  TruncatedBodyError,
} from "../../core/contract/request_body.ts";
import { OverlappingReadError } from "../../core/contract/input_stream.ts";
import type { Application } from "../../core/contract/types.ts";
import { call, settle, thrownBy } from "./fake_exchange.ts";

const REFUSED = ["refuse 500 Internal Server Error"];

function thrower(value: unknown): () => never {
  return () => {
    throw value;
  };
}

/** Every place before the head where an application can fail. */
const PLACES: Record<string, (value: unknown) => Application> = {
  "a function": (value) => thrower(value),
  "a function behind startResponse": (value) => (_environ, startResponse) => {
    startResponse("200 OK", [["Content-Length", "5"]]);
    throw value;
  },
  // deno-lint-ignore require-await -- the point is that nothing is awaited
  "an async function": (value) => async () => {
    throw value;
  },
  "an async function, later": (value) => async () => {
    await settle();
    throw value;
  },
  "a constructor": (value) =>
    class {
      constructor() {
        throw value;
      }
      *[Symbol.iterator](): Generator<string> {}
    },
  "a generator": (value) => (_environ, startResponse) => {
    startResponse("200 OK", []);
    return {
      *[Symbol.iterator]() {
        yield "";
        throw value;
      },
    };
  },
  "an async generator": (value) => (_environ, startResponse) => {
    startResponse("200 OK", []);
    return {
      async *[Symbol.asyncIterator]() {
        yield await Promise.resolve("");
        throw value;
      },
    };
  },
};

describe("X10, X12 a failure before the head", () => {
  const values: unknown[] = [
    new Error("secret"),
    new RangeError("secret"),
    "secret",
    { secret: 1 },
    null,
    undefined,
    0,
  ];
  for (const [name, place] of Object.entries(PLACES)) {
    test(`X10 in ${name} is a 500 in the wire's words, whatever was thrown`, async () => {
      for (const value of values) {
        const { exchange, log } = call(place(value));
        await settle();
        await settle();
        expect([exchange.calls, log.length]).toEqual([REFUSED, 1]);
      }
    });
  }

  test("X10 the trace goes to wsgi.errors, with the request it belongs to and the causes", async () => {
    const error = new TypeError("outer", { cause: new Error("inner") });
    const { log } = call(thrower(error), { REQUEST_METHOD: "PUT", REQUEST_URI: "/x?y" });
    await settle();
    expect(log[0]).toMatch(/^tsgi: PUT \/x\?y: TypeError: outer\n(.*\n)* +at .*\n(.*\n)*Caused by: Error: inner\n/);
    expect(log[0]?.endsWith("\n")).toBe(true);
  });

  test("X10 a log that cannot be written does not matter", () => {
    expect(call(thrower(new Error("x")), {}, { errorLog: thrower(new Error("disk full")) }).exchange.calls).toEqual(
      REFUSED,
    );
  });

  test("X10 errors that are each other's cause still give a 500", () => {
    const error = new Error("one");
    error.cause = new Error("two", { cause: error });
    const { invocation, exchange, log } = call(thrower(error), {}, { later: true });
    expect(thrownBy(() => invocation.run())).toBe("nothing was thrown");
    expect([exchange.calls, log.length]).toEqual([REFUSED, 1]);
  });

  test("X10 run() never throws, not even for a result whose then cannot be read", () => {
    const result = {
      get then(): unknown {
        throw new Error("no");
      },
    };
    const { invocation, exchange } = call(() => result as never, {}, { later: true });
    expect(thrownBy(() => invocation.run())).toBe("nothing was thrown");
    expect(exchange.calls).toEqual(REFUSED);
  });
});

describe("X11, X13 a failure behind the head", () => {
  const failure = new Error("secret");
  const late: Record<string, Application> = {
    "after write()": (_environ, startResponse) => {
      startResponse("200 OK", [])("a");
      throw failure;
    },
    "after write(), in an async function": async (_environ, startResponse) => {
      startResponse("200 OK", [])("a");
      await settle();
      throw failure;
    },
    "after a block of a generator": function* (_environ, startResponse) {
      startResponse("200 OK", []);
      yield "a";
      throw failure;
    },
    "after a block of an async generator": async function* (_environ, startResponse) {
      startResponse("200 OK", []);
      yield "a";
      await settle();
      throw failure;
    },
    "with an InputError": function* (_environ, startResponse) {
      startResponse("200 OK", []);
      yield "a";
      throw new TruncatedBodyError("secret");
    },
  };
  for (const [name, app] of Object.entries(late)) {
    test(`X11 ${name} the response is cut off, with nothing more said`, async () => {
      const { exchange, log } = call(app);
      await settle();
      await settle();
      expect(exchange.calls).toEqual(["head 200 OK", "body a", "abort"]);
      expect(exchange.error).toMatchObject({ message: "secret" });
      expect(log.length).toBe(1);
    });
  }

  const complete: Record<string, [application: Application, environ: object]> = {
    "a body as long as its Content-Length": [function* (_environ, startResponse) {
      startResponse("200 OK", [["Content-Length", "1"]]);
      yield "a";
      throw failure;
    }, {}],
    "write() as long as its Content-Length": [(_environ, startResponse) => {
      startResponse("200 OK", [["Content-Length", "1"]])("a");
      throw failure;
    }, {}],
    "the head of a HEAD": [(_environ, startResponse) => {
      startResponse("200 OK", [])("a");
      throw failure;
    }, { REQUEST_METHOD: "HEAD" }],
  };
  for (const [name, [app, environ]] of Object.entries(complete)) {
    test(`X11 behind ${name} the response is complete: it ends well and the failure is logged`, () => {
      const { exchange, log } = call(app, environ);
      expect(exchange.calls.at(-1)).toBe("end");
      expect(log.length).toBe(1);
    });
  }
});

describe("I09 errors that reading the body gave", () => {
  class TeapotError extends InputError {
    override readonly status = "418 Teapot";
  }
  const errors: [InputError, string][] = [
    [new TruncatedBodyError("x"), "400 Bad Request"],
    [new MalformedBodyError("x"), "400 Bad Request"],
    [new BodyTooLargeError("x"), "413 Content Too Large"],
    [new TeapotError("x"), "418 Teapot"],
  ];
  for (const [error, status] of errors) {
    for (const [name, place] of Object.entries(PLACES)) {
      test(`I09 ${error.constructor.name} let through by ${name} is a ${status}, logged in a line`, async () => {
        const { exchange, log } = call(place(error));
        await settle();
        await settle();
        expect(exchange.calls).toEqual([`refuse ${status}`]);
        expect(log).toEqual([`tsgi: GET /path?query: ${status}: x\n`]);
      });
    }
  }

  for (const error of [new InputError("x"), new InputClosedError("x"), new OverlappingReadError()]) {
    test(`I09 ${error.constructor.name} is the application's own fault: a 500, logged with its trace`, async () => {
      for (const place of Object.values(PLACES)) {
        const { exchange, log } = call(place(error));
        await settle();
        await settle();
        expect([exchange.calls, log.length]).toEqual([REFUSED, 1]);
        expect(log[0]).toContain("\n    at ");
      }
    });
  }

  test("I04 an overlapping read says what to do", () => {
    expect(new OverlappingReadError()).toBeInstanceOf(InputError);
    expect(new OverlappingReadError().message).toContain("await it before the next one");
  });
});

describe("B15, B16, R15 what is no response", () => {
  function started(body: unknown): Application {
    return (_environ, startResponse) => {
      startResponse("200 OK", []);
      return body as string;
    };
  }
  for (const body of [null, undefined, false, true, 0, 7, 7n, NaN, Symbol("s"), () => ["a"], {}, new Date(0)]) {
    test(`B15 ${typeof body} ${String(body)} is no body`, async () => {
      for (const given of [body, Promise.resolve(body)]) {
        const { exchange, log } = call(started(given));
        await settle();
        expect([exchange.calls, log.length]).toEqual([REFUSED, 1]);
        expect(log[0]).toContain("ApplicationError: The application returned");
      }
    });
  }

  const blocks: unknown[] = [
    null,
    undefined,
    7,
    true,
    ["a"],
    {},
    new ArrayBuffer(1),
    new Uint16Array(1),
    Promise.resolve("a"),
  ];
  for (const block of blocks) {
    test(`B16 ${Object.prototype.toString.call(block)} is no block: a 500, before anything is sent`, async () => {
      const bodies = [
        [block],
        ["a", block],
        new Set([block]),
        (async function* () {
          yield "";
          // A promise that is yielded would be awaited.
          yield block instanceof Promise ? 7 : block;
        })(),
      ];
      for (const body of bodies) {
        const { exchange, log } = call(started(body));
        await settle();
        expect([exchange.calls, log.length]).toEqual([REFUSED, 1]);
        expect(log[0]).toContain("expected a block of type Uint8Array or string");
      }
    });
  }

  const bodies: Record<string, () => unknown> = {
    "a string": () => "a",
    "an empty string": () => "",
    "an empty array": () => [],
    "an array": () => ["a"],
    "an array of an empty block": () => [""],
    "a generator of nothing": () => new Set(),
    "a generator of an empty block": () => new Set([""]),
    "an async generator of nothing": async function* () {},
    "an async generator of an empty block": async function* () {
      yield await Promise.resolve("");
    },
  };
  for (const [name, body] of Object.entries(bodies)) {
    test(`R15 ${name} without startResponse is a 500`, async () => {
      const { exchange, log } = call(() => body() as string);
      await settle();
      expect([exchange.calls, log.length]).toEqual([REFUSED, 1]);
      expect(log[0]).toContain("without a successful call of startResponse");
    });
  }
});

describe("B21 errors behind a departure", () => {
  const quiet: Record<string, (signal: AbortSignal) => unknown> = {
    "the signal's reason": (signal) => signal.reason,
    "an AbortError": () => new DOMException("aborted", "AbortError"),
    "an InputError": () => new InputClosedError("gone"),
  };
  const loud: Record<string, (signal: AbortSignal) => unknown> = {
    "an error of its own": () => new Error("bug"),
    "a ClientDisconnectedError of another request": () => new ClientDisconnectedError("another"),
    "null": () => null,
  };
  for (const [table, logs] of [[quiet, 0], [loud, 1]] as const) {
    for (const [name, make] of Object.entries(table)) {
      test(`B21 ${name} is logged ${logs} times, from function and generator`, async () => {
        const apps: Application[] = [
          async ({ "tsgi.request": { signal } }) => {
            await settle();
            throw make(signal);
          },
          ({ "tsgi.request": { signal } }) =>
            (async function* () {
              await settle();
              yield thrower(make(signal))();
            })(),
        ];
        for (const app of apps) {
          const { invocation, exchange, log } = call((environ, startResponse) => {
            startResponse("200 OK", []);
            return (app as (...args: unknown[]) => string)(environ, startResponse);
          });
          await Promise.resolve();
          invocation.departed();
          await settle();
          await settle();
          expect([exchange.calls, log.length]).toEqual([[], logs]);
        }
      });
    }
  }
});

describe("X01, X02 wsgi.errors", () => {
  test("X01 write, writelines and flush pass text on as it is", () => {
    const got: string[] = [];
    const stream = new ErrorStream((text) => got.push(text));
    stream.write("a\n");
    stream.writelines(new Set(["b", "c\r\n"]));
    stream.flush();
    expect(got).toEqual(["a\n", "b", "c\r\n"]);
  });

  test("X02 any string is taken, and what is no string does no harm", () => {
    const got: string[] = [];
    const stream = new ErrorStream((text) => got.push(text));
    const texts: unknown[] = ["\u2713\ud83d\ude00", "\ud800", "\0", "", 7, null, undefined, Symbol("s"), {}];
    for (const text of [...texts, { toString: thrower(new Error("no")) }]) stream.write(text as string);
    expect(got).toEqual(texts.map(String));
  });

  test("X01 each environ has the server's one stream", () => {
    const { environ, log } = call(({ "wsgi.errors": errors }, startResponse) => {
      errors.write("hello");
      startResponse("200 OK", []);
      return [];
    });
    expect([environ["wsgi.errors"] instanceof ErrorStream, log]).toEqual([true, ["hello"]]);
  });
});

test("a thrown value that is no Error is described in the log", () => {
  const texts = [null, "text", 7, {}, Object.create(null), [], () => {}].map(errorText);
  for (const text of texts) expect(text).toMatch(/^Thrown value that is no Error: /);
});
