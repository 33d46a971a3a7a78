/**
 * Who may write, who is read from, and how it ends: F18, time-outs, shutdown, and responses that do not come to an end.
 */

import { describe, expect, it } from "vitest";
import type { Body, Environ, StartResponse } from "../../core/contract/types.ts";
import { echo, Held, hello, path, settle } from "./apps.ts";
import { begin, get, type Overrides, params, post, record, responseOf, stdin, stdinEnd, Talk } from "./harness.ts";

const TICK = 500;

/** Lets `blocks` blocks of output through, as one read of the web server would. */
function take(talk: Talk, blocks: number): void {
  let left = blocks;
  const { transport } = talk;
  const write = transport.write.bind(transport);
  transport.flowing = true;
  transport.write = (bytes) => {
    transport.flowing = bytes[1] !== 6 || --left > 0;
    return write(bytes);
  };
  talk.connection.drained();
  transport.write = write;
  transport.flowing = false;
}

function* endless(text: string): Generator<string> {
  for (;;) yield text;
}

describe("F18 output", () => {
  it("F18 a slow web server gets one block at a time, from each request in turn", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(get(1, "/a"), get(2, "/b"), get(3, "/c"));
    talk.transport.flowing = false;
    for (const name of ["a", "b", "c"]) await held.of(name).answer(endless(name));
    const bodies = (): string =>
      talk.records.filter(({ content }) => content.length === 1).map(({ content }) => content).join("");
    expect(bodies()).toBe("abc"); // each found out for itself
    for (let i = 0; i < 6; i++) take(talk, 1);
    expect(bodies()).toBe("abcabcabc");
    take(talk, 5);
    expect(bodies()).toBe("abcabcabcabcab");
    take(talk, 2);
    expect(bodies()).toBe("abcabcabcabcabca");
    talk.receive(record(2, 1), record(2, 3));
    take(talk, 3);
    expect(bodies()).toBe("abcabcabcabcabcabbb");
  });

  it("F18 what an application writes without waiting is no answer of the wire's own, and stops no input", async () => {
    for (const block of ["x".repeat(2000), new Uint8Array(2000)]) {
      const talk = new Talk((_environ, startResponse) => {
        const write = startResponse("200 OK", []);
        for (let i = 0; i < 50; i++) void write(block);
        return new Promise<Body>(() => {}); // it goes on
      });
      talk.transport.flowing = false;
      talk.receive(get(1));
      await settle();
      expect([talk.response(1).body.length, talk.transport.calls]).toEqual([100_000, []]);
    }
  });

  it("F18 a huge response does not keep a small one waiting", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(get(1, "/huge"), get(2, "/small"));
    talk.transport.flowing = false;
    await held.of("huge").answer(endless("x".repeat(10_000)));
    take(talk, 3);
    await held.of("small").answer(["small"]);
    take(talk, 2);
    expect(responseOf(talk.records, 2).ends).toEqual([[0, 0]]);
  });

  it("F18 a web server that takes everything at once does not keep the process from other things", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(get(1, "/a"), get(2, "/b"));
    talk.transport.flowing = false;
    await held.of("a").answer(endless("a".repeat(10_000)));
    await held.of("b").answer(endless("b".repeat(10_000)));
    talk.transport.flowing = true;
    let sent = 0;
    talk.transport.write = (bytes) => (sent += bytes.length) > 0;
    talk.connection.drained(); // returns
    expect(sent).toBeGreaterThan(900_000);
    expect(sent).toBeLessThan(1_200_000);
    const before = sent;
    await settle();
    expect(sent).toBeGreaterThan(before); // in later turns, until
    talk.connection.closed();
    await settle();
    const after = sent;
    await settle();
    await settle();
    expect(sent).toBe(after);
  });

  it("F18 asynchronous bodies wait for their turn too", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(get(1, "/a"), get(2, "/b"));
    talk.transport.flowing = false;
    async function* slowly(text: string): AsyncGenerator<string> {
      for (let i = 0; i < 3; i++) yield text;
    }
    await held.of("a").answer(slowly("a"));
    await held.of("b").answer(slowly("b"));
    for (let i = 0; i < 4; i++) {
      talk.connection.drained();
      await settle();
    }
    expect(talk.records.filter(({ content }) => content.length === 1).map(({ content }) => content).join("")).toBe(
      "ababab",
    );
    expect([talk.response(1).ends, talk.response(2).ends]).toEqual([[[0, 0]], [[0, 0]]]);
  });

  it("F18 while output does not flow no application is called; then they are, in order", () => {
    const talk = new Talk(path);
    talk.transport.flowing = false;
    talk.receive(get(1, "/a"), get(2, "/b"), get(3, "/c"), get(4, "/d"));
    expect(talk.statuses).toHaveLength(1);
    talk.receive(record(2, 3)); // an ABORT_REQUEST is answered at once
    expect(talk.response(3).ends).toEqual([[1, 0]]);
    expect(talk.response(1).ends).toEqual([[0, 0]]); // its body was one block
    expect(talk.statuses).toHaveLength(1);
    talk.connection.drained();
    expect(talk.statuses).toHaveLength(2);
    talk.transport.flowing = true;
    talk.connection.drained();
    expect([1, 2, 3, 4].map((id) => talk.response(id).body)).toEqual(["/a", "/b", "", "/d"]);
    expect(talk.transport.calls).toEqual([]);
  });

  it("F18 a body that comes meanwhile is kept for the application", async () => {
    const talk = new Talk(echo);
    talk.transport.flowing = false;
    await talk.receive(post(1, "one")).settled();
    await talk.receive(post(2, "two")).settled();
    expect(talk.response(2).ends).toEqual([]);
    talk.transport.flowing = true;
    talk.connection.drained();
    await talk.settled();
    expect(talk.response(2).body).toBe("two");
  });

  it("F18 a web server that asks and asks and takes no answer is not read from", () => {
    const talk = new Talk(hello);
    talk.transport.flowing = false;
    talk.receive(get(1));
    const ask = record(12, 0).repeat(100);
    for (let i = 0; i < 1000 && !talk.transport.calls.includes("pause"); i++) talk.receive(ask);
    expect(talk.transport.calls).toEqual(["pause"]);
    expect(talk.transport.sent.length).toBeLessThan(70_000);
    talk.transport.flowing = true;
    talk.connection.drained();
    expect(talk.transport.calls).toEqual(["pause", "resume"]);
  });
});

describe("F18 input", () => {
  const upload = (id: number): string => begin(id) + params(id, { REQUEST_METHOD: "POST", CONTENT_LENGTH: "200000" });
  const block = "x".repeat(50_000);

  it("F18 a body that nobody reads stops reading, until it is read", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(upload(1), stdin(1, block));
    expect(talk.transport.calls).toEqual([]);
    talk.receive(stdin(1, block));
    expect(talk.transport.calls).toEqual(["pause"]);
    const input = (held.requests[0]?.environ as Environ)["wsgi.input"];
    await input.read(100_000);
    const more = input.read(100_000); // now it waits
    expect(talk.transport.calls).toEqual(["pause", "resume"]);
    talk.receive(stdin(1, block), stdin(1, block));
    expect(await more).toHaveLength(100_000);
    expect(talk.transport.calls).toEqual(["pause", "resume"]);
  });

  it("F18 or until its request is over", async () => {
    for (const how of ["answer", "abort"] as const) {
      const held = new Held();
      const talk = new Talk(held.app).receive(upload(1), upload(2), stdin(1, block), stdin(1, block));
      expect(talk.transport.calls).toEqual(["pause"]);
      if (how === "answer") await held.requests[0]?.answer([]);
      else talk.receive(record(2, 1)); // it was on its way
      expect(talk.transport.calls).toEqual(["pause", "resume"]);
    }
  });

  it("F18 a body that is complete does not", () => {
    const talk = new Talk(new Held().app).receive(begin(1), params(1, { CONTENT_LENGTH: "150000" }));
    talk.receive(stdin(1, block), stdin(1, block), stdin(1, block));
    expect(talk.transport.calls).toEqual([]);
  });

  it("F18 the end of the connection is left to the transport, which reads on", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(begin(1, false), params(1, { CONTENT_LENGTH: "200000" }));
    talk.receive(stdin(1, block), stdin(1, block));
    await held.requests[0]?.answer([]);
    expect(talk.transport.calls).toEqual(["pause", "end"]);
  });
});

describe("an incomplete response", () => {
  const SPOILED = "\0".repeat(8);
  const failing = (headers: [string, string][]) => (_environ: Environ, startResponse: StartResponse): Body => {
    startResponse("200 OK", headers);
    return (function* () {
      yield "part";
      throw new Error("boom");
    })();
  };

  it.each<[title: string, headers: [string, string][]]>([
    ["without a length", []],
    ["shorter than its Content-Length", [["Content-Length", "9"]]],
  ])("X05 %s does not look complete: no END_REQUEST, but a record that is none, and the end", (_title, headers) => {
    const talk = new Talk(failing(headers)).receive(get(1));
    expect(talk.transport.sent.endsWith(`part${SPOILED}`)).toBe(true);
    expect(talk.transport.calls).toEqual(["end"]);
    expect(talk.log).toContain("boom");
    talk.receive(get(2));
    expect(talk.transport.sent.endsWith(SPOILED)).toBe(true);
  });

  it("X05 with other requests on the connection it is ended with appStatus 1, and the log says so", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(get(1, "/a"), get(2, "/b"));
    await held.of("a").answer((function* () {
      yield "part";
      throw new Error("boom");
    })());
    expect(talk.response(1)).toMatchObject({ body: "part", ends: [[1, 0]] });
    expect(talk.logged.at(-1)).toBe(
      "tsgi: connection from 192.0.2.1: other requests run on it, so that an incomplete response was ended",
    );
    await held.of("b").answer(["b"]);
    expect(talk.response(2)).toMatchObject({ body: "b", ends: [[0, 0]] });
    expect(talk.transport.calls).toEqual([]);
    expect(held.of("a").closed).toBe(1);
  });
});

describe("L02 time-outs", () => {
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

  it("L02 headerTimeout: PARAMS that do not end are a 408, also those that trickle; the connection lives on", () => {
    const talk = new Talk(hello, { headerTimeout: 3 }).receive(begin(1));
    expect(tickUntil(talk, 10_000, () => talk.receive(record(4, 1, "\x01\0X")))).toBe(3000);
    expect(talk.statuses).toEqual(["408 Request Timeout"]);
    expect(talk.logged).toEqual([
      "tsgi: refused a request from 192.0.2.1: 408 Request Timeout: PARAMS took longer than 3 s",
    ]);
    talk.receive(get(1));
    expect(talk.statuses).toHaveLength(2);
  });

  it("L02 headerTimeout: a record that does not end", () => {
    const talk = new Talk(hello, { headerTimeout: 3, keepAliveTimeout: 1 }).receive(begin(1).slice(0, 3));
    expect(tickUntil(talk, 10_000)).toBe(3000);
    expect(talk.transport.calls).toEqual(["reset"]);
    expect(talk.logged).toEqual(["tsgi: refused a connection from 192.0.2.1: a record took longer than 3 s"]);
  });

  it("14.6 a connection that has asked nothing has headerTimeout, an idle one keepAliveTimeout, both without a word", () => {
    for (const [text, time] of [["", 3000], [get(1), 7000]] as const) {
      const talk = new Talk(hello, { keepAliveTimeout: 7, headerTimeout: 3 });
      if (text !== "") talk.receive(text);
      expect(tickUntil(talk, 10_000)).toBe(time);
      expect([talk.transport.calls, talk.log]).toEqual([["end"], ""]);
    }
    const used = new Talk(hello, { keepAliveTimeout: 2 });
    for (let now = 0; now < 20_000; now += 1500) {
      used.receive(get(1));
      used.connection.tick(now);
    }
    expect(used.transport.calls).toEqual([]);
  });

  it("14.5 records that belong to no request do not keep a connection", () => {
    const talk = new Talk(hello, { keepAliveTimeout: 2, headerTimeout: 3 }).receive(get(1));
    const late = stdin(1, "x");
    const pieces = [late.slice(0, 5), late.slice(5)]; // at every other tick a record is begun
    expect(tickUntil(talk, 60_000, ((at) => () => talk.receive(pieces[at++ % 2]!))(0))).toBe(5000);
    expect(talk.transport.calls).toEqual(["end"]);
  });

  it("L02 keepAliveTimeout does not count while a request runs", () => {
    expect(tickUntil(new Talk(new Held().app, { keepAliveTimeout: 1 }).receive(get(1)), 60_000)).toBe(Infinity);
  });

  it("L02 bodyTimeout: a body that stops is a 408, one that trickles is not, nor one that nobody reads", async () => {
    const start = begin(1) + params(1, { REQUEST_METHOD: "POST", CONTENT_LENGTH: "9" });
    const stops = await new Talk(echo, { bodyTimeout: 2 }).receive(start, stdin(1, "a")).settled();
    for (let now = 0; now <= 2000; now += TICK) stops.connection.tick(now);
    await stops.settled();
    expect(stops.statuses).toEqual(["408 Request Timeout"]);
    expect(stops.transport.calls).toEqual([]);

    const trickles = await new Talk(echo, { bodyTimeout: 2 }).receive(start).settled();
    for (let i = 0; i < 9; i++) {
      trickles.connection.tick(i * 1500);
      await trickles.receive(stdin(1, "x")).settled();
    }
    expect(trickles.response(1).body).toBe("x".repeat(9));

    expect(tickUntil(new Talk(new Held().app, { bodyTimeout: 1 }).receive(start), 60_000)).toBe(Infinity);
  });

  it("L02 bodyTimeout does not count while another request's body stops reading", async () => {
    const talk = new Talk(
      (environ, startResponse) => environ.PATH_INFO === "/b" ? echo(environ, startResponse) : new Promise(() => {}),
      {
        bodyTimeout: 1,
      },
    );
    talk.receive(begin(1), params(1, { PATH_INFO: "/a", CONTENT_LENGTH: "200000" }));
    talk.receive(begin(2), params(2, { PATH_INFO: "/b", CONTENT_LENGTH: "5" }));
    talk.receive(stdin(1, "x".repeat(65535)), stdin(1, "x"));
    await talk.settled();
    expect(talk.transport.calls).toEqual(["pause"]);
    expect(tickUntil(talk, 60_000)).toBe(Infinity);
  });

  it("L02 writeTimeout: a web server that takes nothing is cut, and its requests depart", async () => {
    const held = new Held();
    const talk = new Talk(held.app, { writeTimeout: 2 }).receive(get(1, "/a"), get(2, "/b"));
    talk.transport.flowing = false;
    await held.of("a").answer(endless("x"));
    talk.transport.buffered = 1;
    expect(tickUntil(talk, 10_000)).toBe(2000);
    expect(talk.transport.calls).toEqual(["reset"]);
    expect([held.of("a").closed, (held.of("b").aborted as Error).name]).toEqual([1, "ClientDisconnectedError"]);
  });

  it("L02 requestTimeout: for each request from its own beginning", () => {
    const held = new Held();
    const talk = new Talk(held.app, { requestTimeout: 2 }).receive(get(1, "/a"));
    talk.connection.tick(0);
    talk.connection.tick(1500);
    talk.receive(get(2, "/b"));
    talk.connection.tick(2000);
    expect(talk.statuses).toEqual(["503 Service Unavailable"]);
    expect((held.of("a").aborted as Error).name).toBe("RequestTimeoutError");
    talk.connection.tick(3500);
    expect(talk.statuses).toHaveLength(1);
    talk.connection.tick(4000);
    expect(talk.statuses).toHaveLength(2);
    expect(talk.transport.calls).toEqual([]);
  });

  it("L02 a web server that does not end behind our end is cut after two seconds", () => {
    const talk = new Talk(hello).receive(get(1, "/", false));
    talk.transport.buffered = 10;
    talk.connection.tick(0);
    talk.connection.tick(5000);
    talk.transport.buffered = 0;
    talk.connection.tick(5500);
    talk.connection.tick(7000);
    expect(talk.transport.calls).toEqual(["end"]);
    talk.connection.tick(7500);
    expect(talk.transport.calls).toEqual(["end", "destroy"]);
  });
});

describe("L05 the server's word", () => {
  const with_ = (overrides: Overrides, held: Held = new Held()): [Talk, Held] => [new Talk(held.app, overrides), held];

  it("L05 shutdown: what runs is finished, what comes behind drainIdle is OVERLOADED, then it ends", async () => {
    const [talk, held] = with_({ drainIdle: 0 });
    talk.receive(get(1, "/a"), begin(2));
    talk.connection.shutdown();
    talk.connection.tick(0);
    talk.receive(get(3, "/c"), params(2, { PATH_INFO: "/b" }), stdinEnd(2));
    expect(talk.response(3).ends).toEqual([[0, 2]]);
    await held.of("a").answer(["a"]);
    expect(talk.transport.calls).toEqual([]);
    await held.of("b").answer(["b"]);
    expect([talk.response(1).body, talk.response(2).body, talk.transport.calls]).toEqual(["a", "b", ["end"]]);
  });

  it("14.13 shutdown: for drainIdle what comes is served; then the response that runs is the last, and says so", async () => {
    const [talk, held] = with_({ drainIdle: 1, keepAliveTimeout: 60 });
    talk.receive(get(1, "/a"));
    talk.connection.shutdown();
    talk.connection.tick(0);
    await held.of("a").answer(["a"]);
    talk.receive(get(2, "/b"));
    await held.of("b").answer(["b"]);
    expect([talk.response(1).body, talk.response(2).body, talk.transport.calls]).toEqual(["a", "b", []]);
    expect(talk.records.at(-1)).toMatchObject({ type: 3, id: 2 });
    talk.receive(get(3, "/c"));
    talk.connection.tick(1000);
    await held.of("c").answer(["c"]);
    expect([talk.response(3).body, talk.transport.calls]).toEqual(["c", ["end"]]);
    // Behind END_REQUEST: web servers keep a connection only if nothing follows there.
    expect(talk.records.at(-2)).toMatchObject({ type: 3, id: 3 });
    expect(talk.records.at(-1)).toEqual({ type: 10, id: 0, content: "" });
  });

  it("14.13 shutdown: a connection ends only once it has been idle for a while", async () => {
    const [talk, held] = with_({ drainIdle: 1 });
    talk.connection.shutdown();
    talk.connection.tick(0);
    talk.connection.tick(500);
    talk.receive(get(1, "/a"));
    await held.of("a").answer(["a"]);
    talk.connection.tick(1000);
    expect(talk.transport.calls).toEqual([]);
    talk.connection.tick(1500);
    expect(talk.transport.calls).toEqual(["end"]);
  });

  it("14.13 the last response that maxRequestsPerConnection allows says so too, and one without KEEP_CONN need not", () => {
    const last = new Talk(hello, { maxRequestsPerConnection: 1 }).receive(get(1));
    expect([last.records.at(-1)?.type, last.transport.calls]).toEqual([10, ["end"]]);
    const own = new Talk(hello, { maxRequestsPerConnection: 1 }).receive(get(1, "/", false));
    expect([own.records.at(-1)?.type, own.transport.calls]).toEqual([3, ["end"]]);
  });

  it("14.13 only web servers that heed it are told which response is the last: others would take it for the next one", () => {
    for (
      const [software, type] of [["nginx/1.26.3", 10], ["Apache/2.4.66 (Debian)", 3], ["lighttpd/1.4", 3]] as const
    ) {
      const talk = new Talk(hello, { maxRequestsPerConnection: 1 });
      talk.receive(begin(1), params(1, { SERVER_SOFTWARE: software }), stdinEnd(1));
      expect([software, talk.records.at(-1)?.type, talk.transport.calls]).toEqual([software, type, ["end"]]);
    }
  });

  it("L05 shutdown: an idle web server has drainIdle", () => {
    const [idle] = with_({ drainIdle: 1, keepAliveTimeout: 60 });
    idle.connection.shutdown();
    idle.connection.tick(0);
    idle.connection.tick(1000);
    expect(idle.transport.calls).toEqual(["end"]);
  });

  it("L05 serveOne: one request, then the end", async () => {
    const [talk, held] = with_({});
    talk.connection.serveOne();
    talk.receive(get(1, "/a"), get(2, "/b"));
    expect(talk.response(2).ends).toEqual([[0, 2]]);
    await held.of("a").answer(["a"]);
    expect([talk.response(1).body, talk.transport.calls]).toEqual(["a", ["end"]]);
  });

  it("L05 turnAway: before it has asked a web server can be told nothing; it gets no answer and asks elsewhere", () => {
    const [talk, held] = with_({});
    talk.connection.turnAway("503 Service Unavailable");
    talk.receive(get(1));
    expect([talk.transport.sent, talk.transport.calls, held.requests.length]).toEqual(["", ["end"], 0]);
  });
});

it("an error of our own costs one connection, and is logged", () => {
  const talk = new Talk(hello, {
    latin1: () => {
      throw new Error("no memory");
    },
  });
  talk.receive(get(1));
  expect(talk.transport.calls).toEqual(["reset"]);
  expect(talk.log).toContain("tsgi: connection from 192.0.2.1: Error: no memory");
});
