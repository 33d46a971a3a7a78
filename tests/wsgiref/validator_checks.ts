/**
 * The validator does not change correct behaviour: forms stay the same, synchronous calls stay synchronous, and the calls
 * with which a server ends a body reach the body.
 *
 * @module
 */

import type { Application, StartResponse } from "../../mod.ts";
import { validator } from "../../wsgiref/validate.ts";
import { client, createEnviron } from "../../testing/mod.ts";
import { call } from "../gateway/fake_exchange.ts";
import { type Check, equal, ok, thrownBy } from "./check.ts";

const plain: [string, string][] = [["Content-Type", "text/plain"]];
const start: StartResponse = () => () => undefined;

function answering(body: () => unknown): Application {
  return ((_environ: unknown, startResponse: StartResponse) => {
    startResponse("200 OK", plain);
    return body();
  }) as unknown as Application;
}

function* two(): Generator<string> {
  yield "a";
  yield "b";
}

class Site {
  readonly #start: StartResponse;

  constructor(_environ: unknown, startResponse: StartResponse) {
    this.#start = startResponse;
  }

  *[Symbol.iterator](): Generator<string> {
    this.#start("200 OK", plain);
    yield "class";
  }
}

const object = {
  greeting: "object",
  wsgiApp(_environ: unknown, startResponse: StartResponse): string[] {
    startResponse("200 OK", plain);
    return [this.greeting];
  },
};

/** Bodies, and what is sent of them before `call` returns: nothing in between is a promise. */
const synchronous: readonly (readonly [what: string, app: Application, calls: readonly string[]])[] = [
  ["an array", answering(() => ["a", "b"]), ["head 200 OK length 2", "body a", "body b", "end"]],
  ["a string", answering(() => "ab"), ["head 200 OK length 2", "body ab", "end"]],
  ["bytes", answering(() => new Uint8Array([97])), ["head 200 OK length 1", "body a", "end"]],
  ["a generator", answering(two), ["head 200 OK", "body a", "body b", "end"]],
  ["an empty array", answering(() => []), ["head 200 OK length 0", "end"]],
  ["a Set", answering(() => new Set(["a"])), ["head 200 OK", "body a", "end"]],
  ["a class", Site as unknown as Application, ["head 200 OK", "body class", "end"]],
  ["an object", object, ["head 200 OK length 6", "body object", "end"]],
  [
    "write()",
    (_environ, startResponse) => {
      const write = startResponse("200 OK", plain);
      ok(write("a") === undefined, "write gave a promise");
      return ["b"];
    },
    ["head 200 OK", "body a", "body b", "end"],
  ],
];

export const validatorChecks: readonly Check[] = [
  ...synchronous.map(([what, app, calls]): Check => ({
    name: `A validator makes no promise on the way of ${what}`,
    run: () => {
      equal(call(app).exchange.calls, calls, "without a validator");
      equal(call(validator(app)).exchange.calls, calls);
      equal(call(validator(validator(app))).exchange.calls, calls, "twice");
    },
  })),
  {
    name: "A validator leaves arrays arrays, bare blocks as they are, and iterables of their kind",
    run: () => {
      const through = (body: unknown): unknown => validator(answering(() => body))(createEnviron(), start);
      const bytes = new Uint8Array(2);
      ok(through(bytes) === bytes && through("text") === "text", "a bare block was changed");
      ok(Array.isArray(through(["a"])), "no array");
      ok(Symbol.iterator in (through(two()) as object), "no iterable");
      ok(!(Symbol.asyncIterator in (through(two()) as object)), "an async iterable");
      ok(Symbol.asyncIterator in (through(new Blob(["a"]).stream()) as object), "no async iterable");
      ok(through(Promise.resolve(["a"])) instanceof Promise, "no promise");
    },
  },
  {
    name: "return() and close() reach the body through a validator, once",
    run: async () => {
      const seen: string[] = [];
      const body = (): unknown =>
        Object.assign(
          (async function* () {
            try {
              for (;;) yield await Promise.resolve("x");
            } finally {
              seen.push("returned");
            }
          })(),
          { close: () => seen.push("closed") },
        );
      const validated = validator(answering(body));
      const response = await client(validated).get("/");
      for await (const _ of response) break;
      for (let i = 0; i < 100 && seen.length < 2; i++) await new Promise((resolve) => setTimeout(resolve, 1));
      equal(seen, ["returned", "closed"]);
      validated.assertClosed();
    },
  },
  {
    name: "A refused block stops the generator and closes the body",
    run: async () => {
      const seen: string[] = [];
      const body = (): unknown =>
        Object.assign(
          (function* () {
            try {
              yield 5;
            } finally {
              seen.push("returned");
            }
          })(),
          { close: () => seen.push("closed") },
        );
      equal((await client(validator(answering(body))).get("/")).status, 500);
      equal(seen, ["returned", "closed"]);
    },
  },
  {
    name: "A body that is refused as a whole is closed",
    run: async () => {
      let closed = 0;
      const body = (): unknown => Object.assign([5], { close: () => closed++ });
      equal([(await client(validator(answering(body))).get("/")).status, closed], [500, 1]);
    },
  },
  {
    name: "A stream that nobody reads is cancelled through a validator",
    run: async () => {
      let cancelled = 0;
      const stream = new ReadableStream({ cancel: () => void cancelled++ });
      const body = validator(answering(() => stream))(createEnviron(), start) as unknown as { close(): void };
      body.close();
      await new Promise((resolve) => setTimeout(resolve, 0));
      equal(cancelled, 1);
    },
  },
  {
    name: "The input may be the body, and is not closed",
    run: async () => {
      const echo = validator((environ, startResponse) => {
        startResponse("200 OK", plain);
        return environ["wsgi.input"];
      });
      const response = await client(echo).post("/", { body: "spam" });
      equal([await response.text(), response.log], ["spam", ""]);
    },
  },
  {
    name: "The signal and an error that is thrown are the application's own",
    run: async () => {
      const mine = new RangeError("mine");
      const throwing = validator(() => {
        throw mine;
      });
      ok(await thrownBy(() => client(throwing, { raise: true }).get("/")) === mine, "another error");
      let fired = false;
      const leaving = validator(async (environ, startResponse) => {
        const { signal } = environ["tsgi.request"];
        signal.addEventListener("abort", () => fired = true);
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        startResponse("200 OK", plain);
        return [];
      });
      const abort = new AbortController();
      const request = client(leaving).get("/", { signal: abort.signal });
      abort.abort();
      await thrownBy(() => request);
      equal(fired, true);
    },
  },
  {
    name: "Who has taken the socket, or has lost the client, need not call startResponse",
    run: async () => {
      const abort = new AbortController();
      let log = "";
      const gone = validator(async (environ) => {
        await new Promise((resolve) => environ["tsgi.request"].signal.addEventListener("abort", resolve));
        return [];
      });
      const request = client(gone, { errorLog: (text) => void (log += text) }).get("/", { signal: abort.signal });
      abort.abort();
      await thrownBy(() => request);
      await new Promise((resolve) => setTimeout(resolve, 0));
      const socket = { transport: {} as never, leftover: new Uint8Array(0), attach() {} };
      const taken = call(validator((environ) => (environ["tsgi.request"].rawSocket(), [])), {}, { socket });
      equal([log, taken.exchange.calls, taken.log.join()], ["", ["upgrade raw"], ""]);
    },
  },
  {
    name: "strict takes what PEP 3333 would: bytes, a Content-Type, sizes, and promises where JavaScript needs them",
    run: async () => {
      const app = validator(async (environ, startResponse) => {
        const body = await environ["wsgi.input"].read(100);
        const write = startResponse("200 OK", [...plain, ["Content-Length", "8"]]);
        await write(body);
        return (async function* () {
          yield await Promise.resolve(body);
        })();
      }, { strict: true });
      const response = await client(app).post("/", { body: "spam" });
      equal([await response.text(), response.log], ["spamspam", ""]);
      app.assertClosed();
    },
  },
  {
    name: "A validator refuses what is no application",
    run: async () => {
      const error = await thrownBy(() => validator(7 as unknown as Application));
      equal((error as Error).name, "ApplicationError");
    },
  },
];
