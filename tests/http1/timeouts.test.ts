/**
 * Time-outs on the coarse clock: each fires at its nominal time on the ticks, not before, and only for what it is for.
 */

import { describe, expect, it } from "vitest";
import type { Body, Environ, StartResponse } from "../../core/gateway/types.ts";
import { hello, noting, type Seen, Talk } from "./harness.ts";

const GET = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const POST = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";
const TICK = 500;

/** Ticks until the transport hears something or `until` is reached; returns the time that went by. */
function tickUntil(talk: Talk, until: number, each: () => void = () => {}): number {
  const before = talk.transport.calls.length + talk.transport.sent.length;
  for (let now = 0; now <= until; now += TICK) {
    each();
    talk.connection.tick(now);
    if (talk.transport.calls.length + talk.transport.sent.length !== before) return now;
  }
  return Infinity;
}

const never = (_environ: Environ, startResponse: StartResponse): Promise<Body> => {
  startResponse("200 OK", []);
  return new Promise(() => {});
};

describe("L02", () => {
  it("headerTimeout: a head that does not end is a 408, also one that trickles", () => {
    const talk = new Talk(hello, { headerTimeout: 3 }).receive("GET / HTTP/1.1\r\n");
    expect(tickUntil(talk, 10_000, () => talk.receive("X"))).toBe(3000);
    expect(talk.statuses).toEqual([408]);
    expect(talk.transport.calls).toEqual(["end"]);
    expect(talk.log).toContain("408 Request Timeout: a request head took longer than 3 s");
  });

  it("keepAliveTimeout: an idle connection is closed without a word, new or used", () => {
    for (const text of ["", "\r\n", GET]) {
      const talk = new Talk(hello, { keepAliveTimeout: 2, headerTimeout: 1 });
      if (text !== "") talk.receive(text);
      const sent = talk.transport.sent;
      expect(tickUntil(talk, 10_000)).toBe(2000);
      expect(talk.transport.sent).toBe(sent);
      expect(talk.transport.calls).toEqual(["end"]);
      expect(talk.log).toBe("");
    }
  });

  it("keepAliveTimeout begins anew with each request", () => {
    const talk = new Talk(hello, { keepAliveTimeout: 2 });
    for (let now = 0; now < 20_000; now += 1500) {
      talk.receive(GET);
      talk.connection.tick(now);
    }
    expect(talk.transport.calls).toEqual([]);
  });

  it("bodyTimeout: a body that stops is a 408, one that trickles is not", async () => {
    const seen: Seen[] = [];
    const stops = new Talk(noting(seen), { bodyTimeout: 2 }).receive(`${POST}ab`);
    await stops.settled();
    for (let now = 0; now <= 2000; now += TICK) stops.connection.tick(now);
    await stops.settled();
    expect(seen[0]?.body).toBe("BodyTimeoutError");
    expect(stops.statuses).toEqual([408]);

    const trickles = new Talk(noting([]), { bodyTimeout: 2 }).receive(POST);
    await trickles.settled();
    for (let i = 0; i < 5; i++) {
      trickles.connection.tick(i * 1500);
      await trickles.receive("x").settled();
    }
    expect(trickles.statuses).toEqual([200]);
  });

  it("bodyTimeout does not count while the application does not read", () => {
    expect(tickUntil(new Talk(never, { bodyTimeout: 1 }).receive(POST), 60_000)).toBe(Infinity);
  });

  it("bodyTimeout also bounds the draining of a body nobody read", () => {
    expect(tickUntil(new Talk(hello, { bodyTimeout: 2 }).receive(POST), 60_000)).toBe(2000);
  });

  it("writeTimeout: a client that takes nothing is cut, one that takes a little is not", () => {
    const stuck = new Talk(never, { writeTimeout: 2 }).receive(GET);
    stuck.transport.buffered = 1000;
    expect(tickUntil(stuck, 10_000)).toBe(2000);
    expect(stuck.transport.calls).toEqual(["reset"]);

    const slow = new Talk(never, { writeTimeout: 2 }).receive(GET);
    slow.transport.buffered = 1000;
    expect(tickUntil(slow, 10_000, () => slow.transport.buffered--)).toBe(Infinity);
  });

  it("requestTimeout: a 503 before the head, and the signal tells the application", () => {
    let signal: AbortSignal | undefined;
    const talk = new Talk((environ, startResponse) => {
      signal = environ["tsgi.request"].signal;
      return never(environ, startResponse);
    }, { requestTimeout: 3 }).receive(GET);
    expect(tickUntil(talk, 10_000)).toBe(3000);
    expect(talk.statuses).toEqual([503]);
    expect((signal?.reason as Error).name).toBe("RequestTimeoutError");
    expect(talk.log).toContain("503 Service Unavailable: No response within 3 s");
  });

  it("requestTimeout: a response that streams on is cut", async () => {
    let returned = 0;
    const talk = new Talk(async function* (_environ: Environ, startResponse: StartResponse): AsyncGenerator<string> {
      try {
        startResponse("200 OK", []);
        for (;;) {
          yield "x";
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        returned++;
      }
    }, { requestTimeout: 1 }).receive(GET);
    await talk.settled();
    talk.connection.tick(0);
    talk.connection.tick(1000);
    await talk.settled();
    await talk.settled();
    expect(talk.transport.calls).toEqual(["end"]);
    expect(talk.sent.endsWith("0\n\n")).toBe(false);
    expect(returned).toBe(1);
  });

  it("none fires while a response runs, whatever the client does", () => {
    const all = { headerTimeout: 1, bodyTimeout: 1, keepAliveTimeout: 1, writeTimeout: 1 };
    expect(tickUntil(new Talk(never, all).receive(GET + GET), 60_000)).toBe(Infinity);
  });
});

it("L05 maxRequestsPerConnection: the last one says close", () => {
  const talk = new Talk(hello, { maxRequestsPerConnection: 2 }).receive(GET).receive(GET + GET);
  expect(talk.statuses).toEqual([200, 200]);
  expect(talk.sent.match(/Connection: close/g)).toHaveLength(1);
  expect(talk.transport.calls).toEqual(["end"]);
});
