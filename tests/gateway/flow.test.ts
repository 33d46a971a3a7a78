/**
 * Backpressure, fairness and thrift (rules B03, B04): nothing is pulled while the client is slow, a long synchronous
 * body lets others have their turn, and one that never waits costs no promise.
 */

import { createHook } from "node:async_hooks";
import { describe, expect, test } from "vitest";
import type { Application } from "../../core/contract/types.ts";
import { call, settle } from "./fake_exchange.ts";
import { BodyWatch, KINDS } from "./observed_body.ts";

describe("B04 a slow client", () => {
  for (const kind of KINDS) {
    test(`B04 ${kind.name} is not pulled before the drain, and goes on at it`, async () => {
      const watch = new BodyWatch();
      const app: Application = (_environ, startResponse) => {
        startResponse("200 OK", []);
        return kind.make(["", "a", "b", "c"], watch);
      };
      const { invocation, exchange, drain } = call(app, {}, { flow: false });
      await settle();
      expect([watch.pulls, exchange.calls]).toEqual([2, ["head 200 OK", "body a"]]);
      invocation.drained(); // and still slow: one block, then it waits again
      await settle();
      expect([watch.pulls, exchange.calls.at(-1)]).toEqual([3, "body b"]);
      drain();
      await settle();
      expect(exchange.calls.slice(-2)).toEqual(["body c", "end"]);
      expect(watch).toMatchObject({ closes: 1, stops: 0, late: 0 });
    });
  }

  test("B04 an array is handed over block by block too", () => {
    const app: Application = (_environ, startResponse) => {
      startResponse("200 OK", []);
      return ["a", "b", "c"];
    };
    const { invocation, exchange, drain } = call(app, {}, { flow: false });
    expect(exchange.blocks.length).toBe(1);
    invocation.drained();
    expect(exchange.blocks.length).toBe(2);
    drain();
    expect(exchange.calls.at(-1)).toBe("end");
  });

  for (const kind of KINDS) {
    test(`B04 after a write() nobody awaited, ${kind.name} is not pulled before the drain`, async () => {
      const watch = new BodyWatch();
      const app: Application = (_environ, startResponse) => {
        startResponse("200 OK", [])("written");
        return kind.make(["a"], watch);
      };
      const { exchange, drain } = call(app, {}, { flow: false });
      await settle();
      expect([watch.pulls, exchange.calls]).toEqual([0, ["head 200 OK", "body written"]]);
      drain();
      await settle();
      expect(exchange.calls).toEqual(["head 200 OK", "body written", "body a", "end"]);
    });
  }

  test("B04 a drain nobody waited for does nothing", async () => {
    const watch = new BodyWatch();
    const { invocation, exchange } = call((_environ, startResponse) => {
      startResponse("200 OK", []);
      return KINDS[2]?.make(["a", "b"], watch) as Iterable<string>;
    });
    invocation.drained();
    invocation.drained();
    await settle();
    expect(exchange.calls).toEqual(["head 200 OK", "body a", "body b", "end"]);
  });
});

describe("a long body lets others have their turn", () => {
  const MIB = 1 << 20;
  const block = new Uint8Array(64 * 1024);
  for (const kind of KINDS) {
    test(`${kind.name} of 10 MiB yields about once a MiB`, async () => {
      const { exchange, turns } = call((_environ, startResponse) => {
        startResponse("200 OK", []);
        return kind.make(Array.from({ length: (10 * MIB) / block.length }, () => block), new BodyWatch());
      });
      if (!kind.async && kind.name !== "a promise of a generator") expect(exchange.blocks.length).toBe(16);
      for (let i = 0; i < 10; i++) await settle();
      expect(exchange.calls.at(-1)).toBe("end");
      expect(exchange.blocks.length).toBe(160);
      expect(turns()).toBeGreaterThanOrEqual(9);
      expect(turns()).toBeLessThanOrEqual(11);
    });
  }

  test("a short body takes no extra turn", () => {
    const { turns } = call((_environ, startResponse) => {
      startResponse("200 OK", []);
      return new Set([block, "x"]);
    });
    expect(turns()).toBe(0);
  });
});

describe("a synchronous application costs no promise", () => {
  const apps: Record<string, Application> = {
    "a string": (_environ, startResponse) => {
      startResponse("200 OK", []);
      return "a";
    },
    "an array": (_environ, startResponse) => {
      startResponse("200 OK", []);
      return ["a", "b"];
    },
    "a generator": function* (_environ, startResponse) {
      startResponse("200 OK", []);
      yield "a";
      yield "b";
    },
    "write() and close()": (_environ, startResponse) => {
      startResponse("200 OK", [])("a");
      return Object.assign(["b"], { close() {} });
    },
    "HEAD-like 204": (_environ, startResponse) => {
      startResponse("204 No", []);
      return ["b"];
    },
    "a throw": () => {
      throw new Error("no");
    },
  };
  for (const [name, app] of Object.entries(apps)) {
    test(`${name}: the response has ended when run() returns, and no promise was made`, () => {
      const { invocation, exchange, turns } = call(app, {}, { later: true });
      let promises = 0;
      const hook = createHook({ init: (_id, type) => void (promises += type === "PROMISE" ? 1 : 0) }).enable();
      invocation.run();
      hook.disable();
      expect(exchange.calls.at(-1)).toMatch(/^(end|refuse .*)$/);
      expect([promises, turns()]).toEqual([0, 0]);
    });
  }

  test("the way to count promises works", () => {
    let promises = 0;
    const hook = createHook({ init: (_id, type) => void (promises += type === "PROMISE" ? 1 : 0) }).enable();
    const made = Promise.resolve().then(() => {});
    hook.disable();
    expect(promises).toBe(2);
    return made;
  });
});
