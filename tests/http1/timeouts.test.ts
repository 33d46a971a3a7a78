/**
 * Time-outs on the coarse clock: each fires at its nominal time on the ticks, not before, and only for what it is for.
 */

import { describe, expect, it } from "vitest";
import type { Body, Environ, StartResponse } from "../../core/contract/types.ts";
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

  it("14.6 a connection that has asked nothing has headerTimeout, an idle one keepAliveTimeout, both without a word", () => {
    for (const [text, time] of [["", 3000], ["\r\n", 3000], [GET, 7000]] as const) {
      const talk = new Talk(hello, { keepAliveTimeout: 7, headerTimeout: 3 });
      if (text !== "") talk.receive(text);
      const sent = talk.transport.sent;
      expect(tickUntil(talk, 10_000)).toBe(time);
      expect(talk.transport.sent).toBe(sent);
      expect(talk.transport.calls).toEqual(["end"]);
      expect(talk.log).toBe("");
    }
  });

  it("14.6 headerTimeout of the first request counts from the beginning of the connection", () => {
    const talk = new Talk(hello, { headerTimeout: 3 });
    expect(tickUntil(talk, 10_000, ((left) => () => left-- === 0 && talk.receive("G"))(4))).toBe(3000);
    expect(talk.statuses).toEqual([408]);
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

    const trickles = new Talk(noting([]), { bodyTimeout: 2, minBodyRate: 0 }).receive(POST);
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

  it("14.5 minBodyRate: a body that trickles is a 408 after the grace, one that comes at the rate is not", async () => {
    const post = POST.replace("5", "100000");
    for (const [bytes, answer] of [[1, 408], [40, 408], [60, 200], [2000, 200]] as const) {
      const rules = { minBodyRate: 100, minBodyRateGrace: 2, bodyTimeout: 60 };
      const talk = await new Talk(noting([]), rules).receive(post).settled();
      let sent = 0;
      for (let now = 0; sent < 100_000 && talk.statuses.length === 0; now += TICK) {
        const size = now >= 30_000 ? 100_000 - sent : bytes;
        sent += size;
        talk.receive("x".repeat(size)).connection.tick(now);
        await talk.settled();
        if (bytes === 40) expect([now, talk.statuses.length]).toEqual([now, now >= 10_000 ? 1 : 0]);
      }
      expect([bytes, ...talk.statuses]).toEqual([bytes, answer]);
      if (answer === 408) expect(talk.log).toContain("The request body came at less than 100 bytes a second");
    }
  });

  it("14.5 minBodyRate: a fast beginning pays for a pause of bodyTimeout, and not for hours", async () => {
    const rules = { minBodyRate: 100, minBodyRateGrace: 2, bodyTimeout: 20 };
    const talk = await new Talk(noting([]), rules).receive(POST.replace("5", "200000")).settled();
    talk.connection.tick(0);
    talk.receive("x".repeat(100_000));
    const before = talk.statuses.length;
    let now = TICK;
    for (; talk.statuses.length === before && now < 100_000; now += TICK) {
      talk.connection.tick(now);
      await talk.receive("x").settled();
    }
    expect(talk.statuses).toEqual([408]);
    expect(now).toBeGreaterThan(20_000);
    expect(now).toBeLessThan(30_000);
  });

  it("14.5 minBodyRate does not count while the application does other things, nor when it is 0", async () => {
    const post = POST.replace("5", "100");
    let read = (): void => {};
    const slow = new Talk(async (environ: Environ, startResponse: StartResponse) => {
      await environ["wsgi.input"].read(1);
      await new Promise<void>((resolve) => read = resolve);
      const rest = await environ["wsgi.input"].read();
      startResponse("200 OK", []);
      return [`${rest.length}`];
    }).receive(post);
    await slow.settled();
    for (let now = 0; now < 60_000; now += TICK) {
      if (now % 10_000 === 0) slow.receive("x");
      slow.connection.tick(now);
      await slow.settled();
    }
    read();
    await slow.settled();
    await slow.receive("x".repeat(94)).settled();
    expect(slow.statuses).toEqual([200]);

    const off = await new Talk(noting([]), { minBodyRate: 0 }).receive(post).settled();
    for (let i = 0; i < 100; i++) {
      off.connection.tick(i * 59_000);
      await off.receive("x").settled();
    }
    expect(off.statuses).toEqual([200]);
  });

  it("14.5 an unread body has bodyTimeout in all to come to its end, and half a minute at most", () => {
    const post = POST.replace("5", "100000");
    for (const [bodyTimeout, time] of [[1, 1000], [Infinity, 30_000]] as const) {
      const all = { headerTimeout: 1, bodyTimeout, keepAliveTimeout: 1, writeTimeout: 1 };
      const talk = new Talk(hello, all).receive(post);
      expect(tickUntil(talk, 60_000, () => talk.receive("x"))).toBe(time);
      expect(talk.transport.calls).toEqual(["end"]);
    }
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

describe("14.7 FIN and an iterator that gives nothing but empty blocks", () => {
  /** Gives `empty` empty blocks, one a turn of the event loop, then a word; notes how it ended. */
  const quiet = (empty: number, notes: string[]) =>
    async function* (_environ: Environ, startResponse: StartResponse): AsyncGenerator<string> {
      try {
        startResponse("200 OK", []);
        for (let i = 0; i < empty; i++) {
          yield "";
          await new Promise((resolve) => setImmediate(resolve));
        }
        yield "word";
        notes.push("complete");
      } finally {
        notes.push("closed");
      }
    };

  it("14.7 is abandoned, whether FIN comes before its first block or behind it", async () => {
    for (const turns of [0, 3]) {
      const notes: string[] = [];
      const talk = new Talk(quiet(Infinity, notes)).receive(GET);
      for (let i = 0; i < turns; i++) await talk.settled();
      talk.connection.tick(0);
      talk.connection.ended();
      for (let i = 0; i < 5; i++) await talk.settled();
      expect(talk.transport.calls).toEqual([]);
      talk.connection.tick(500);
      expect(talk.transport.calls).toEqual(["reset"]);
      talk.connection.closed();
      for (let i = 0; i < 5; i++) await talk.settled();
      expect(notes).toEqual(["closed"]);
    }
  });

  it("14.7 a synchronous one too, and without FIN it may go on", async () => {
    let closed = 0;
    function* app(_environ: Environ, startResponse: StartResponse): Generator<string> {
      try {
        startResponse("200 OK", []);
        for (;;) yield "";
      } finally {
        closed++;
      }
    }
    const talk = new Talk(app).receive(GET);
    for (let now = 0; now < 5000; now += TICK) {
      talk.connection.tick(now);
      await talk.settled();
    }
    expect([talk.transport.calls, closed]).toEqual([[], 0]);
    talk.connection.ended();
    await talk.settled();
    await talk.settled();
    talk.connection.tick(5000);
    expect(talk.transport.calls).toEqual(["reset"]);
    talk.connection.closed();
    await talk.settled();
    expect(closed).toBe(1);
  });

  it("14.7 one that begins with an empty block and then answers is served to a client that has half-closed", async () => {
    const notes: string[] = [];
    const talk = new Talk(quiet(1, notes)).receive(GET);
    talk.connection.ended();
    talk.connection.tick(0);
    for (let i = 0; i < 5; i++) await talk.settled();
    talk.connection.tick(500);
    expect(talk.sent).toContain("word");
    expect(notes).toEqual(["complete", "closed"]);
  });

  it("14.7 a reset always ends it", async () => {
    const notes: string[] = [];
    const talk = await new Talk(quiet(Infinity, notes)).receive(GET).settled();
    talk.connection.closed();
    await talk.settled();
    await talk.settled();
    expect(notes).toEqual(["closed"]);
  });
});

describe("14.13 shutdown of a connection whose client was told that it persists", () => {
  it("14.13 it serves one more request within drainIdle, which is told to close", async () => {
    let go = (): void => {};
    const talk = new Talk(async function* (_environ: Environ, startResponse: StartResponse): AsyncGenerator<string> {
      startResponse("200 OK", [["Content-Length", "4"]]);
      yield "ab";
      await new Promise<void>((resolve) => go = resolve);
      yield "cd";
    }).receive(GET);
    await talk.settled();
    talk.connection.shutdown();
    talk.receive(GET);
    for (let i = 0; i < 2; i++) {
      go();
      for (let turn = 0; turn < 3; turn++) await talk.settled();
    }
    expect(talk.statuses).toEqual([200, 200]);
    expect(talk.sent.match(/Connection: close/g)).toHaveLength(1);
    expect(talk.transport.calls).toEqual(["end"]);
  });

  it("14.13 the rest of an unread body is still read, and the connection ends at drainIdle", () => {
    const talk = new Talk(hello, { drainIdle: 1 }).receive(POST);
    expect(talk.transport.calls).toEqual([]);
    talk.connection.shutdown();
    expect(tickUntil(talk.receive("abcde"), 10_000)).toBe(1000);
    expect(talk.transport.calls).toEqual(["end"]);
    const more = new Talk(hello).receive(POST);
    more.connection.shutdown();
    more.receive(`abcde${GET}`);
    expect(more.statuses).toEqual([200, 200]);
    expect(more.transport.calls).toEqual(["end"]);
  });
});
