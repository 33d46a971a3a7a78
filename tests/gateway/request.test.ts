/**
 * tsgi.request: the disconnect signal, early hints and hijacking.
 *
 * Its parts are made when they are asked for; the signal fires on departure and on nothing else.
 */

import { describe, expect, test, vi } from "vitest";
import { ClientDisconnectedError, type GatewayRequest, RequestError } from "../../core/gateway/request.ts";
import { StartResponseError } from "../../core/gateway/response.ts";
import type { Application, HeaderList } from "../../core/gateway/types.ts";
import type { Hijacked } from "../../core/seams.ts";
import { call, type Called, NOTHING_THROWN, settle, thrownBy } from "./fake_exchange.ts";

const socket = { leftover: new Uint8Array(2) } as Hijacked;

/** A call of an application that waits for ever. */
function waiting(): Called & { readonly request: GatewayRequest } {
  const called = call(() => new Promise<string>(() => {}));
  return { ...called, request: called.environ["tsgi.request"] };
}

describe("signal", () => {
  test("it fires once, on departure, with a ClientDisconnectedError", () => {
    const { invocation, request } = waiting();
    const fired = vi.fn();
    request.signal.addEventListener("abort", fired);
    expect(request.signal.aborted).toBe(false);
    invocation.departed();
    invocation.departed();
    expect([fired.mock.calls.length, request.signal.aborted]).toEqual([1, true]);
    expect(request.signal.reason).toBeInstanceOf(ClientDisconnectedError);
  });

  test("it is one object, and aborted already when it is first asked for after departure", () => {
    const { invocation, request } = waiting();
    invocation.departed();
    expect(request.signal).toBe(request.signal);
    expect(request.signal.aborted).toBe(true);
    expect(request.signal.reason).toBeInstanceOf(ClientDisconnectedError);
  });

  test("it is made only when asked for", () => {
    const made = vi.spyOn(globalThis, "AbortController");
    try {
      const { invocation, request } = waiting();
      invocation.departed();
      expect(made).not.toHaveBeenCalled();
      void request.signal;
      void request.signal;
      expect(made).toHaveBeenCalledTimes(1);
    } finally {
      made.mockRestore();
    }
  });

  const endings: Record<string, Application> = {
    "a complete response": (_environ, startResponse) => {
      startResponse("200 OK", []);
      return "a";
    },
    "a complete response, later": async (_environ, startResponse) => {
      await settle();
      startResponse("200 OK", []);
      return "a";
    },
    "a failed response": () => {
      throw new Error("no");
    },
    "a hijack": ({ "tsgi.request": request }) => {
      request.hijack();
      return [];
    },
  };
  for (const [name, app] of Object.entries(endings)) {
    test(`it never fires after ${name}, not even when the connection closes later`, async () => {
      let signal: AbortSignal | undefined;
      const { invocation } = call(
        (environ, startResponse) => {
          signal = environ["tsgi.request"].signal;
          return (app as (...args: unknown[]) => string)(environ, startResponse);
        },
        {},
        { socket },
      );
      await settle();
      await settle();
      invocation.departed();
      expect(signal?.aborted).toBe(false);
    });
  }

  test("a generator sees it while it is pulled", async () => {
    const seen: boolean[] = [];
    const { invocation } = call(async function* (environ, startResponse) {
      startResponse("200 OK", []);
      yield "a";
      await settle();
      seen.push(environ["tsgi.request"].signal.aborted);
    });
    await settle();
    invocation.departed();
    await settle();
    await settle();
    expect(seen).toEqual([true]);
  });
});

describe("earlyHints", () => {
  const link: HeaderList = [["Link", "</a.css>; rel=preload"]];

  test("it sends a 103 with a copy of the headers, as often as it is called before the head", () => {
    const { exchange } = call(({ "tsgi.request": request }, startResponse) => {
      request.earlyHints(link);
      startResponse("200 OK", []);
      request.earlyHints([]);
      return "a";
    });
    expect(exchange.calls).toEqual([
      `informational 103 Early Hints ${JSON.stringify(link)}`,
      "informational 103 Early Hints []",
      "head 200 OK length 1",
      "body a",
      "end",
    ]);
  });

  const bad: Record<string, unknown> = {
    "no list": { Link: "x" },
    "no pair": [["Link"]],
    "a control": [["Link", "a\r\nb"]],
    "a bad name": [["Li nk", "a"]],
    "a hop-by-hop name": [["connection", "close"]],
    "a code point above U+00FF": [["Link", "\u0100"]],
  };
  for (const [name, headers] of Object.entries(bad)) {
    test(`it refuses what startResponse would: ${name}`, () => {
      let thrown: unknown;
      const { exchange } = call(({ "tsgi.request": request }, startResponse) => {
        thrown = thrownBy(() => request.earlyHints(headers as HeaderList));
        startResponse("200 OK", []);
        return "a";
      });
      expect(thrown).toBeInstanceOf(StartResponseError);
      expect((thrown as Error).message).toMatch(/^earlyHints: /);
      expect(exchange.calls[0]).toBe("head 200 OK length 1");
    });
  }

  test("it throws once the head has been sent", () => {
    let thrown: unknown;
    call(({ "tsgi.request": request }, startResponse) => {
      startResponse("200 OK", [])("a");
      thrown = thrownBy(() => request.earlyHints(link));
      return [];
    });
    expect(thrown).toBeInstanceOf(RequestError);
  });

  test("it says nothing to a client that has gone", () => {
    const { invocation, exchange, request } = waiting();
    invocation.departed();
    expect(thrownBy(() => request.earlyHints(link))).toBe(NOTHING_THROWN);
    expect(exchange.calls).toEqual([]);
  });
});

describe("hijack", () => {
  test("it gives the socket; what the application returns is not sent, and nothing is asked of startResponse", async () => {
    let got: unknown;
    const { exchange, log } = call(
      ({ "tsgi.request": request }) => {
        got = request.hijack();
        return "ignored";
      },
      {},
      { socket },
    );
    await settle();
    expect(got).toBe(socket);
    expect([exchange.calls, log]).toEqual([["hijack"], []]);
  });

  const tooLate: Record<string, Application> = {
    "after write()": ({ "tsgi.request": request }, startResponse) => {
      startResponse("200 OK", [])("a");
      request.hijack();
      return [];
    },
    "a second time": ({ "tsgi.request": request }) => {
      request.hijack();
      request.hijack();
      return [];
    },
  };
  for (const [name, app] of Object.entries(tooLate)) {
    test(`${name} it throws a RequestError`, () => {
      const { log } = call(app, {}, { socket });
      expect(log.length).toBe(1);
      expect(log[0]).toContain("RequestError: hijack: the response has already begun");
    });
  }

  test("after the end and after departure it throws a RequestError", () => {
    const ended = call(
      (_environ, startResponse) => {
        startResponse("200 OK", []);
        return "a";
      },
      {},
      { socket },
    );
    const left = waiting();
    left.invocation.departed();
    for (const { environ } of [ended, left]) {
      expect(thrownBy(() => environ["tsgi.request"].hijack())).toBeInstanceOf(RequestError);
    }
  });

  test("where the wire refuses, its error reaches the application and the response goes on", () => {
    let thrown: unknown;
    const { exchange } = call(({ "tsgi.request": request }, startResponse) => {
      thrown = thrownBy(() => request.hijack());
      startResponse("426 Upgrade Required", []);
      return "a";
    });
    expect(thrown).toBeInstanceOf(RequestError);
    expect(exchange.calls).toEqual(["head 426 Upgrade Required length 1", "body a", "end"]);
  });

  test("after it write() throws, and an error of the application is logged, not sent", () => {
    const { exchange, log } = call(
      ({ "tsgi.request": request }, startResponse) => {
        const write = startResponse("200 OK", []);
        request.hijack();
        write("a");
        return [];
      },
      {},
      { socket },
    );
    expect(exchange.calls).toEqual(["hijack"]);
    expect(log.length).toBe(1);
    expect(log[0]).toContain("WriteError: write: the response has ended");
  });
});
