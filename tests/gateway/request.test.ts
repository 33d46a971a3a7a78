/**
 * tsgi.request: the disconnect signal, early hints and Upgrade.
 *
 * Its parts are made when they are asked for; the signal fires on departure and on nothing else.
 */

import { describe, expect, test, vi } from "vitest";
import { type GatewayRequest, RequestError } from "../../core/contract/tsgi_request.ts";
import { ClientDisconnectedError } from "../../core/contract/request_body.ts";
import { StartResponseError } from "../../core/contract/response_head.ts";
import type { Application, HeaderList } from "../../core/contract/types.ts";
import type { UpgradedSocket } from "../../core/contract/upgraded_socket.ts";
import type { Connection, RawSocket, Transport } from "../../core/seams.ts";
import { call, type Called, NOTHING_THROWN, settle, thrownBy } from "./fake_exchange.ts";

const socket = { leftover: new Uint8Array(2) } as RawSocket;

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
    "an Upgrade": ({ "tsgi.request": request }) => {
      request.rawSocket();
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

describe("onDeparture", () => {
  test("it calls back once, with the reason of signal, also who comes too late; an error of one costs no other", async () => {
    const { invocation, request, log } = waiting();
    const heard: unknown[] = [];
    request.onDeparture(() => {
      throw new Error("on purpose");
    });
    request.onDeparture((reason) => heard.push(reason));
    expect(heard).toEqual([]);
    invocation.departed();
    invocation.departed();
    request.onDeparture((reason) => heard.push(reason));
    await settle();
    expect(heard).toEqual([request.signal.reason, request.signal.reason]);
    expect(heard[0]).toBeInstanceOf(ClientDisconnectedError);
    expect(log.join()).toMatch(/onDeparture: Error: on purpose/);
  });

  test("it says nothing of a response that is complete", async () => {
    const heard = vi.fn();
    const { invocation } = call(({ "tsgi.request": request }, startResponse) => {
      request.onDeparture(heard);
      startResponse("200 OK", []);
      return "a";
    });
    invocation.departed();
    await settle();
    expect(heard).not.toHaveBeenCalled();
  });
});

describe("rawSocket", () => {
  test("it gives the socket; what the application returns is not sent, and nothing is asked of startResponse", async () => {
    let got: unknown;
    const { exchange, log } = call(
      ({ "tsgi.request": request }) => {
        got = request.rawSocket();
        return "ignored";
      },
      {},
      { socket },
    );
    await settle();
    expect(got).toBe(socket);
    expect([exchange.calls, log]).toEqual([["upgrade raw"], []]);
  });

  const tooLate: Record<string, Application> = {
    "after write()": ({ "tsgi.request": request }, startResponse) => {
      startResponse("200 OK", [])("a");
      request.rawSocket();
      return [];
    },
    "a second time": ({ "tsgi.request": request }) => {
      request.rawSocket();
      request.rawSocket();
      return [];
    },
  };
  for (const [name, app] of Object.entries(tooLate)) {
    test(`${name} it throws a RequestError`, () => {
      const { log } = call(app, {}, { socket });
      expect(log.length).toBe(1);
      expect(log[0]).toContain("RequestError: upgrade: the response has already begun");
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
      expect(thrownBy(() => environ["tsgi.request"].rawSocket())).toBeInstanceOf(RequestError);
    }
  });

  test("where the wire refuses, its error reaches the application and the response goes on", () => {
    let thrown: unknown;
    const { exchange } = call(({ "tsgi.request": request }, startResponse) => {
      thrown = thrownBy(() => request.rawSocket());
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
        request.rawSocket();
        write("a");
        return [];
      },
      {},
      { socket },
    );
    expect(exchange.calls).toEqual(["upgrade raw"]);
    expect(log.length).toBe(1);
    expect(log[0]).toContain("WriteError: write: the response has ended");
  });
});

describe("upgrade", () => {
  /** A transport that keeps what it is told, and says of each write whether output flows. */
  class Pipe {
    readonly calls: string[] = [];
    connection: Connection | undefined;
    flows = true;
    readonly givesInput = false;
    write(bytes: Uint8Array): boolean {
      this.calls.push(`write ${new TextDecoder().decode(bytes)}`);
      return this.flows;
    }
    socket(leftover: Uint8Array): RawSocket {
      const attach = (connection: Connection): void => {
        this.connection = connection;
        if (leftover.length > 0) connection.receive(leftover);
      };
      return { transport: this as unknown as Transport, leftover, attach };
    }
    pause(): void {
      this.calls.push("pause");
    }
    resume(): void {}
    end(): void {
      this.calls.push("end");
    }
    reset(): void {
      this.calls.push("reset");
    }
  }

  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

  /** A connection that has been upgraded to what the client offers. */
  function upgraded(early = ""): { pipe: Pipe; socket: UpgradedSocket; connection: Connection } {
    const pipe = new Pipe();
    let socket: UpgradedSocket | undefined;
    call(
      ({ "tsgi.request": request }) => {
        socket = request.upgrade();
        return [];
      },
      { HTTP_UPGRADE: "echo" },
      { socket: pipe.socket(bytes(early)) },
    );
    return { pipe, socket: socket as UpgradedSocket, connection: pipe.connection as Connection };
  }

  const cases: { name: string; offered: string; headers?: HeaderList; sent: string | RegExp }[] = [
    { name: "the one that is offered", offered: "websocket", sent: 'upgrade [["Upgrade","websocket"]]' },
    {
      name: "the one that is named, with other fields behind it",
      offered: "a/1, b",
      headers: [["X-Y", "z"], ["upgrade", "B"]],
      sent: 'upgrade [["Upgrade","B"],["X-Y","z"]]',
    },
    { name: "none of several without a name", offered: "a, b", sent: /expected one protocol, got string "a, b"/ },
    { name: "none where none is offered", offered: "", sent: /expected one protocol, got string ""/ },
    {
      name: "not one that is not offered",
      offered: "a",
      headers: [["Upgrade", "b"]],
      sent: /does not offer string "b"/,
    },
    {
      name: "not two at once",
      offered: "a, b",
      headers: [["Upgrade", "a"], ["Upgrade", "b"]],
      sent: /expected one protocol, got string "a, b"/,
    },
    { name: "no hop-by-hop field", offered: "a", headers: [["Connection", "x"]], sent: /not the application's to set/ },
    { name: "no header that splits", offered: "a", headers: [["X", "a\r\nB: c"]], sent: /without control characters/ },
    {
      name: "only a list of headers",
      offered: "a",
      headers: "X: y" as unknown as HeaderList,
      sent: /expected an array/,
    },
  ];
  test.each(cases)("it sends $name", ({ offered, headers, sent }) => {
    const pipe = new Pipe();
    const { exchange, log } = call(
      ({ "tsgi.request": request }) => {
        request.upgrade(headers);
        return [];
      },
      { HTTP_UPGRADE: offered },
      { socket: pipe.socket(new Uint8Array(0)) },
    );
    if (typeof sent === "string") expect([exchange.calls, log]).toEqual([[sent], []]);
    else expect(log.join()).toMatch(sent);
  });

  test("what arrives is readable, early bytes first, and closes at the client's end", async () => {
    const { socket, connection } = upgraded("early ");
    const lent = bytes("one");
    connection.receive(lent);
    lent.fill(0); // the host reuses its memory
    connection.ended();
    expect(await new Response(socket.readable).text()).toBe("early one");
  });

  test("reading stops while more than 64 KiB wait", async () => {
    const { pipe, connection } = upgraded();
    connection.receive(new Uint8Array(65535));
    await settle();
    expect(pipe.calls).toEqual([]);
    connection.receive(new Uint8Array(1));
    expect(pipe.calls).toEqual(["pause"]);
  });

  test("a write settles once output flows; what the application does with its memory afterwards changes nothing", async () => {
    const { pipe, socket, connection } = upgraded();
    pipe.flows = false;
    const writer = socket.writable.getWriter();
    let written = false;
    const mine = bytes("one");
    void writer.write(mine).then(() => written = true);
    await settle();
    mine.fill(0);
    expect([pipe.calls, written]).toEqual([["write one"], false]);
    connection.drained();
    await settle();
    expect(written).toBe(true);
    await expect(writer.write("text" as unknown as Uint8Array)).rejects.toThrow("expected a Uint8Array");
  });

  test("closed is fulfilled once both ends are sent, and rejected when the connection breaks", async () => {
    const orderly = upgraded();
    const closing = orderly.socket.close();
    expect(orderly.pipe.calls).toEqual(["end"]);
    orderly.connection.ended();
    orderly.connection.closed();
    await closing;

    const broken = upgraded();
    const reading = broken.socket.readable.getReader().read();
    broken.connection.closed(new Error("ECONNRESET"));
    await expect(reading).rejects.toBeInstanceOf(ClientDisconnectedError);
    await expect(broken.socket.closed).rejects.toBeInstanceOf(ClientDisconnectedError);
  });

  const closings: { name: string; chunks: unknown[]; flows: boolean; sent: string[] }[] = [
    {
      name: "in the turn in which it was written",
      chunks: ["one", "two"],
      flows: true,
      sent: ["write one", "write two"],
    },
    { name: "behind a write that waits", chunks: ["one", "two"], flows: false, sent: ["write one", "write two"] },
    { name: "before a chunk of another type", chunks: ["one", 7, "two"], flows: true, sent: ["write one"] },
  ];
  test.each(closings)("close() sends what is written first: $name", async ({ chunks, flows, sent }) => {
    const { pipe, socket, connection } = upgraded();
    pipe.flows = flows;
    const writer = socket.writable.getWriter();
    const all = chunks.map((one) => typeof one === "string" ? bytes(one) : one as Uint8Array);
    for (const one of all) writer.write(one).catch(() => {});
    void socket.close();
    await settle();
    connection.drained();
    await settle();
    connection.drained();
    expect(pipe.calls).toEqual([...sent, "end"]);
  });

  test("a write behind close() fails", async () => {
    const { pipe, socket } = upgraded();
    const writer = socket.writable.getWriter();
    await writer.ready;
    void socket.close();
    await expect(writer.write(bytes("late"))).rejects.toThrow("the socket has been closed");
    expect(pipe.calls).toEqual(["end"]);
  });

  test("to abort writable resets the connection, and shutdown fires stopping", async () => {
    const { pipe, socket, connection } = upgraded();
    expect(socket.stopping.aborted).toBe(false);
    connection.shutdown();
    expect(socket.stopping.aborted).toBe(true);
    await socket.writable.abort();
    expect(pipe.calls).toEqual(["reset"]);
  });
});
