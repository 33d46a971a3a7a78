/**
 * What SCGI and uwsgi have in common: one request a connection, how it is answered, how it ends, and how long anything
 * is waited for.
 */

import { describe, expect, it } from "vitest";
import { OneRequestConnection } from "../../core/wires/cgi/connection.ts";
import type { HeadFormat } from "../../core/wires/cgi/response.ts";
import { cgiRefusal, serializeCgiHead } from "../../core/wires/cgi/response.ts";
import { Variables } from "../../core/wires/cgi/variables.ts";
import type { Body, Environ, StartResponse } from "../../core/contract/types.ts";
import { scgiConnection } from "../../core/wires/scgi/connection.ts";
import { uwsgiConnection } from "../../core/wires/uwsgi/connection.ts";
import type { Wire } from "../../core/wires/load.ts";
import { hello, noting, type Overrides, type Seen, Talk } from "../http1/harness.ts";
import { until } from "../lifecycle/cell.ts";
import { scgiRequest } from "../scgi/request.ts";
import { uwsgiRequest } from "../uwsgi/request.ts";

const TICK = 500;

const WIRES = [
  { name: "scgi", wire: scgiConnection, request: scgiRequest, start: "Status: ", close: "" },
  {
    name: "uwsgi",
    wire: uwsgiConnection,
    request: uwsgiRequest,
    start: "HTTP/1.1 ",
    close: "Date: now\nConnection: close\n",
  },
] as const;

/** Ticks until something is sent or the socket is told something; gives the time that went by. */
function tickUntil(talk: Talk, until: number, each: () => void = () => {}): number {
  const before = talk.transport.calls.length + talk.transport.sent.length;
  for (let now = 0; now <= until; now += TICK) {
    each();
    talk.connection.tick(now);
    if (talk.transport.calls.length + talk.transport.sent.length !== before) return now;
  }
  return Infinity;
}

it("14.5 a script reads the rest of an unread body for bodyTimeout in all, however it trickles", async () => {
  const wire: Wire = (transport, config) => {
    const format = (): HeadFormat => ({ head: serializeCgiHead, refusal: cgiRefusal });
    const connection = new OneRequestConnection(transport, config, { format });
    const variables = new Variables();
    variables.add("REQUEST_METHOD", "POST");
    variables.add("CONTENT_LENGTH", "200000");
    connection.start(() => variables);
    return connection;
  };
  const talk = new Talk(hello, { bodyTimeout: 0.05 }, wire);
  expect(talk.sent).toContain("hello");
  await until("the end", () => talk.receive("x").transport.calls.includes("end"), 5000);
});

describe.each(WIRES)("$name", ({ wire, request, start, close }) => {
  const open = (app: ConstructorParameters<typeof Talk>[0], overrides: Overrides = {}): Talk =>
    new Talk(app, overrides, wire);

  it("C05 S05 U05 answers with the status first, the length when it is known, and ends the connection", () => {
    const talk = open(hello).receive(request());
    expect(talk.sent).toBe(`${start}200 OK\nContent-Type: text/plain\nContent-Length: 5\n${close}\nhello`);
    expect(talk.transport.calls).toEqual(["end"]);
  });

  it("C07 a redirect has its status, so that no web server makes it its own", () => {
    const talk = open((_environ, startResponse) => {
      startResponse("302 Found", [["Location", "/elsewhere"]]);
      return [];
    }).receive(request());
    expect(talk.sent.startsWith(`${start}302 Found\nLocation: /elsewhere\n`)).toBe(true);
  });

  it("C12 14.31 the answer to HEAD, a 204, a 205 and a 304 have no body", () => {
    const bodyOf = (method: string, status: string): string => {
      const talk = open((_environ, startResponse) => {
        startResponse(status, []);
        return "body";
      }).receive(request({ REQUEST_METHOD: method }));
      return talk.sent.slice(talk.sent.indexOf("\n\n") + 2);
    };
    const statuses = ["204 No Content", "205 Reset Content", "304 Not Modified"];
    expect([bodyOf("HEAD", "200 OK"), ...statuses.map((status) => bodyOf("GET", status))]).toEqual(["", "", "", ""]);
    expect(bodyOf("GET", "200 OK")).toBe("body");
  });

  it("S05 U05 a body of unknown length is never chunked, and a failure in it does not end like a success", () => {
    const talk = open(function* (_environ: Environ, startResponse: StartResponse) {
      startResponse("200 OK", []);
      yield "one ";
      yield "two ";
      throw new Error("three");
    }).receive(request());
    expect(talk.sent.endsWith("\n\none two ")).toBe(true);
    expect(talk.sent).not.toMatch(/chunked|Content-Length/i);
    expect(talk.transport.calls).toEqual(["reset"]);
  });

  it("an application that fails before that is answered with 500", () => {
    const talk = open(() => {
      throw new Error("broken");
    }).receive(request());
    expect(talk.sent.startsWith(`${start}500 Internal Server Error\n`)).toBe(true);
    expect(talk.sent).not.toContain("broken");
    expect(talk.log).toContain("broken");
    expect(talk.transport.calls).toEqual(["end"]);
  });

  it("S04 U04 exactly CONTENT_LENGTH octets can be read", async () => {
    const seen: Seen[] = [];
    const talk = open(noting(seen)).receive(request({ REQUEST_METHOD: "POST" }, "4") + "bodySURPLUS").receive("MORE");
    await talk.settled();
    expect(seen[0]?.body).toBe("body");
    expect(talk.sent.endsWith("\n\n4")).toBe(true);
  });

  it("S06 U09 FIN in a head: no application is called, nothing is answered", () => {
    const seen: Seen[] = [];
    for (const input of ["", request().slice(0, 3), request().slice(0, -1)]) {
      const talk = open(noting(seen));
      if (input !== "") talk.receive(input);
      talk.connection.ended();
      expect([talk.transport.sent, talk.transport.calls, talk.log]).toEqual(["", ["end"], ""]);
    }
    expect(seen).toEqual([]);
  });

  it("reading stops while the application does not read, and goes on when it does", async () => {
    let read = (): void => {};
    const talk = open(async (environ, startResponse) => {
      await new Promise<void>((resolve) => read = resolve);
      const body = await environ["wsgi.input"].read();
      startResponse("200 OK", []);
      return `${body.length}`;
    }).receive(request({ REQUEST_METHOD: "POST" }, "200000")).receive("x".repeat(70_000));
    expect(talk.transport.calls).toEqual(["pause"]);
    read();
    await talk.settled();
    expect(talk.transport.calls).toEqual(["pause", "resume"]);
    await talk.receive("x".repeat(130_000)).settled();
    expect(talk.sent.endsWith("\n\n200000")).toBe(true);
  });

  it("a peer that goes away while a body is made: the signal fires, the body is closed; FIN before that is served", async () => {
    for (const streaming of [true, false]) {
      let [aborted, closed] = [0, 0];
      let go = (): void => {};
      const app = async function* (environ: Environ, startResponse: StartResponse): AsyncGenerator<string> {
        environ["tsgi.request"].signal.addEventListener("abort", () => aborted++);
        try {
          startResponse("200 OK", []);
          if (streaming) yield "begun";
          await new Promise<void>((resolve) => go = resolve);
          yield "done";
        } finally {
          closed++;
        }
      };
      const talk = await open(app).receive(request()).settled();
      talk.connection.ended();
      if (streaming) {
        expect(talk.transport.calls).toEqual(["reset"]);
        talk.connection.closed();
      }
      go();
      await talk.settled();
      expect([aborted, closed]).toEqual(streaming ? [1, 1] : [0, 1]);
      expect(talk.sent.endsWith(streaming ? "begun" : "done")).toBe(true);
    }
  });

  it("14.7 after FIN an iterator that gives nothing but empty blocks is abandoned", async () => {
    let closed = 0;
    const talk = open(function* (_environ: Environ, startResponse: StartResponse): Generator<string> {
      try {
        startResponse("200 OK", []);
        for (;;) yield "";
      } finally {
        closed++;
      }
    }).receive(request());
    talk.connection.ended();
    talk.connection.tick(0);
    await talk.settled();
    await talk.settled();
    expect(talk.transport.calls).toEqual([]);
    talk.connection.tick(500);
    expect(talk.transport.calls).toEqual(["reset"]);
    talk.connection.closed();
    await talk.settled();
    expect(closed).toBe(1);
  });

  describe("L02", () => {
    const never = (_environ: Environ, _startResponse: StartResponse): Promise<Body> => new Promise(() => {});

    it("a head that does not end is a 408", () => {
      const talk = open(hello, { headerTimeout: 3, keepAliveTimeout: 60 }).receive(request().slice(0, 5));
      expect(tickUntil(talk, 10_000)).toBe(3000);
      expect(talk.sent.startsWith(`${start}408 `)).toBe(true);
    });

    it("14.6 headerTimeout counts from the beginning of the connection, also when nothing comes", () => {
      const idle = open(hello, { headerTimeout: 3, keepAliveTimeout: 60 });
      expect(tickUntil(idle, 10_000)).toBe(3000);
      expect([idle.transport.sent, idle.transport.calls]).toEqual(["", ["end"]]);
      const late = open(hello, { headerTimeout: 3, keepAliveTimeout: 60 });
      expect(tickUntil(late, 10_000, ((left) => () => left-- === 0 && late.receive(request().slice(0, 1)))(4))).toBe(
        3000,
      );
      expect(late.sent.startsWith(`${start}408 `)).toBe(true);
    });

    it("a body that stops is a 408, one that trickles is not", async () => {
      const post = request({ REQUEST_METHOD: "POST" }, "500");
      const trickling = open(noting([]), { bodyTimeout: 2 }).receive(post);
      expect(tickUntil(trickling, 10_000, () => trickling.receive("x"))).toBe(Infinity);
      const seen: Seen[] = [];
      const talk = open(noting(seen), { bodyTimeout: 2 }).receive(post);
      expect(tickUntil(talk, 2000)).toBe(Infinity);
      await talk.settled();
      expect(seen[0]?.body).toBe("BodyTimeoutError");
      expect(talk.sent.startsWith(`${start}408 `)).toBe(true);
    });

    it("a client that takes nothing is cut, a response that takes too long is a 503", () => {
      const stalled = open(hello, { writeTimeout: 2 }).receive(request());
      stalled.transport.buffered = 10;
      expect(tickUntil(stalled, 10_000)).toBe(2000);
      expect(stalled.transport.calls).toEqual(["end", "reset"]);
      const slow = open(never, { requestTimeout: 4 }).receive(request());
      expect(tickUntil(slow, 10_000)).toBe(4000);
      expect(slow.sent.startsWith(`${start}503 `)).toBe(true);
    });

    it("a peer that never closes is destroyed, once it has had time to read", () => {
      const talk = open(hello).receive(request());
      expect(tickUntil(talk, 10_000)).toBe(2000);
      expect(talk.transport.calls).toEqual(["end", "destroy"]);
      const slow = open(hello).receive(request());
      slow.transport.buffered = 10;
      for (let now = 0; now < 10_000; now += TICK) slow.connection.tick(now);
      slow.transport.buffered = 0;
      for (let now = 10_000; now < 12_000; now += TICK) slow.connection.tick(now);
      expect(slow.transport.calls).toEqual(["end"]);
      slow.connection.tick(12_000);
      expect(slow.transport.calls).toEqual(["end", "destroy"]);
    });

    it("L01 at shutdown a running request is finished, an idle connection ends at drainIdle", async () => {
      let answer = (_body: string): void => {};
      const talk = open((_environ, startResponse) => {
        startResponse("200 OK", []);
        return new Promise((resolve) => answer = resolve);
      }, { drainIdle: 1 }).receive(request());
      talk.connection.shutdown();
      expect(tickUntil(talk, 10_000)).toBe(Infinity);
      answer("done");
      await talk.settled();
      expect(talk.sent.endsWith("done")).toBe(true);
      const idle = open(hello, { drainIdle: 1 });
      idle.connection.shutdown();
      expect(tickUntil(idle, 10_000)).toBe(1000);
    });
  });

  it("who is turned away is told why", () => {
    const talk = open(hello);
    talk.connection.turnAway("503 Service Unavailable");
    expect(talk.sent.startsWith(`${start}503 Service Unavailable\n`)).toBe(true);
    expect(talk.receive(request()).statuses.length).toBeLessThan(2);
    expect(talk.transport.calls).toEqual(["end"]);
  });
});
