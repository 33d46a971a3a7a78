/**
 * `startResponse` with `excInfo` once the head is out (rule R10), from every place an application can call it.
 *
 * It throws the very value it was given, and the response is cut off even where the application swallows that.
 */

import { describe, expect, test } from "vitest";
import type { Application, StartResponse } from "../../core/contract/types.ts";
import { call, settle, thrownBy } from "./fake_exchange.ts";

const failure = new Error("too late");
let closes = 0;

type Fail = (startResponse: StartResponse) => void;
interface Place {
  readonly name: string;
  readonly app: (fail: Fail) => Application;
}

const close = (): void => void closes++;

const PLACES: readonly Place[] = [
  {
    name: "a sync function",
    app: (fail) => (_environ, startResponse) => {
      startResponse("200 OK", [])("a");
      fail(startResponse);
      return Object.assign(["b"], { close });
    },
  },
  {
    name: "an async function, at once",
    // deno-lint-ignore require-await -- the point is that nothing is awaited
    app: (fail) => async (_environ, startResponse) => {
      startResponse("200 OK", [])("a");
      fail(startResponse);
      return Object.assign(["b"], { close });
    },
  },
  {
    name: "an async function, later",
    app: (fail) => async (_environ, startResponse) => {
      startResponse("200 OK", [])("a");
      await settle();
      fail(startResponse);
      return Object.assign(["b"], { close });
    },
  },
  {
    name: "a sync generator",
    app: (fail) => (_environ, startResponse) =>
      Object.assign(
        (function* () {
          startResponse("200 OK", []);
          yield "a";
          fail(startResponse);
          yield "b";
        })(),
        { close },
      ),
  },
  {
    name: "an async generator, at once",
    app: (fail) => (_environ, startResponse) =>
      Object.assign(
        (async function* () {
          startResponse("200 OK", []);
          yield "a";
          fail(startResponse);
          yield "b";
        })(),
        { close },
      ),
  },
  {
    name: "an async generator, later",
    app: (fail) => (_environ, startResponse) =>
      Object.assign(
        (async function* () {
          startResponse("200 OK", []);
          yield "a";
          await settle();
          fail(startResponse);
          yield "b";
        })(),
        { close },
      ),
  },
];

for (const { name, app } of PLACES) {
  describe(`R10 after the head, in ${name}`, () => {
    const fails: Record<string, Fail> = {
      "let through": (startResponse) => startResponse("500 Oh", [], failure),
      "swallowed": (startResponse) => expect(thrownBy(() => startResponse("500 Oh", [], failure))).toBe(failure),
      "with a malformed head": (startResponse) => startResponse("nonsense", [], failure),
    };
    for (const [how, fail] of Object.entries(fails)) {
      test(`R10 ${how}: the response is cut off with the same error, logged once, closed once`, async () => {
        closes = 0;
        let body = false;
        const { exchange, log } = call(app((startResponse) => {
          body = name.includes("generator") || how === "swallowed";
          fail(startResponse);
        }));
        for (let i = 0; i < 4; i++) await settle();
        expect(exchange.calls).toEqual(["head 200 OK", "body a", "abort"]);
        expect(exchange.error).toBe(failure);
        expect(log.length).toBe(1);
        expect(log[0]).toContain("too late");
        expect(closes).toBe(body ? 1 : 0); // B13: a body that was never returned is not closed
      });
    }
  });
}

test("R10 a value that is no Error is thrown by identity as well", () => {
  const thrown = { code: 7 };
  let got: unknown;
  const { exchange } = call((_environ, startResponse) => {
    startResponse("200 OK", [])("a");
    got = thrownBy(() => startResponse("500 Oh", [], thrown));
    return [];
  });
  expect(got).toBe(thrown);
  expect(exchange.error).toBe(thrown);
});

test("R10 a second excInfo after the first throws too and is logged", () => {
  const { exchange, log } = call((_environ, startResponse) => {
    startResponse("200 OK", [])("a");
    thrownBy(() => startResponse("500 Oh", [], failure));
    thrownBy(() => startResponse("500 Oh", [], new Error("another")));
    return [];
  });
  expect(exchange.calls).toEqual(["head 200 OK", "body a", "abort"]);
  expect(log.length).toBe(2);
  expect(log[1]).toContain("another");
});

test("R10 after a complete response it still throws, and nothing is sent", async () => {
  let kept: StartResponse | undefined;
  const { exchange, log } = call((_environ, startResponse) => {
    kept = startResponse;
    startResponse("200 OK", []);
    return "a";
  });
  await settle();
  expect(thrownBy(() => kept?.("500 Oh", [], failure))).toBe(failure);
  expect(exchange.calls).toEqual(["head 200 OK length 1", "body a", "end"]);
  expect(log.length).toBe(1);
});

test("R10 an empty block has not sent the head: excInfo still replaces it", async () => {
  const { exchange } = call((_environ, startResponse) =>
    (function* () {
      startResponse("200 OK", []);
      yield "";
      startResponse("503 Sorry", [], failure);
      yield "x";
    })()
  );
  await settle();
  expect(exchange.calls).toEqual(["head 503 Sorry", "body x", "end"]);
});
