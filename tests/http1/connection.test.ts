/**
 * The phases of a connection, one event at a time: what it sends, when it reads, and how it ends.
 */

import { describe, expect, it, vi } from "vitest";
import type { Body, Environ, StartResponse } from "../../core/contract/types.ts";
import { hello, noting, type Overrides, type Seen, Talk } from "./harness.ts";

const GET = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
const PLAIN = [["Content-Type", "text/plain"]] as const;

/** An application whose requests are answered when the test says so. */
class Held {
  readonly requests: { environ: Environ; answer: (body: Body) => void; fail: (error: unknown) => void }[] = [];

  readonly app = (environ: Environ, startResponse: StartResponse): Promise<Body> => {
    startResponse("200 OK", PLAIN);
    return new Promise((answer, fail) => this.requests.push({ environ, answer, fail }));
  };

  async answer(index: number, body: Body): Promise<void> {
    this.requests[index]?.answer(body);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** A generator body that the test feeds, block by block. */
class Source implements AsyncIterable<string> {
  returned = 0;
  #next: ((step: IteratorResult<string>) => void) | undefined;

  push(block: string): void {
    this.#next?.({ done: false, value: block });
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    return {
      next: () => new Promise((resolve) => this.#next = resolve),
      return: () => {
        this.returned++;
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }
}

function post(framing: string, body: string): string {
  return `POST / HTTP/1.1\r\nHost: h\r\n${framing}\r\n\r\n${body}`;
}

describe("keep-alive", () => {
  const cases: [title: string, request: string, connection: string | null, ends: boolean][] = [
    ["HTTP/1.1 persists and says nothing", GET, null, false],
    ["HTTP/1.1 with close", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "close", true],
    ["close among others, any case", "GET / HTTP/1.1\r\nHost: h\r\nConnection: x, ClOsE\r\n\r\n", "close", true],
    ["HTTP/1.0 closes", "GET / HTTP/1.0\r\n\r\n", "close", true],
    ["HTTP/1.0 with keep-alive says so", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "keep-alive", false],
    ["close beats keep-alive", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "close", true],
  ];
  it.each(cases)("H03 %s", (_title, request, connection, ends) => {
    const talk = new Talk(hello).receive(request);
    expect(/^Connection: (.*)$/m.exec(talk.sent)?.[1] ?? null).toBe(connection);
    expect(talk.transport.calls).toEqual(ends ? ["end"] : []);
    expect(talk.sent).toContain("\n\nhello");
  });

  it("B07 HTTP/1.0 with keep-alive and a body of unknown length is ended by closing", () => {
    const talk = new Talk(function* (_environ: Environ, startResponse: StartResponse): Generator<string> {
      startResponse("200 OK", PLAIN);
      yield "a";
      yield "b";
    });
    talk.receive("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    expect(talk.sent).toBe("HTTP/1.1 200 OK\nContent-Type: text/plain\nDate: now\nConnection: close\n\nab");
    expect(talk.transport.calls).toEqual(["end"]);
  });
});

describe("pipelining", () => {
  it("H08 calls the application once at a time and answers in order", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(GET + GET + GET);
    expect(held.requests).toHaveLength(1);
    await held.answer(0, ["one"]);
    expect(held.requests).toHaveLength(2);
    talk.receive(GET);
    await held.answer(1, ["two"]);
    await held.answer(2, ["three"]);
    await held.answer(3, ["four"]);
    expect(talk.sent.match(/one|two|three|four/g)).toEqual(["one", "two", "three", "four"]);
  });

  it("stops reading when too much waits, and reads again", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(GET);
    for (let i = 0; i < 3; i++) talk.receive(`GET /${"x".repeat(8000)} HTTP/1.1\r\nHost: h\r\n\r\n`.repeat(4));
    expect(talk.transport.calls).toEqual(["pause"]);
    for (let i = 0; i < 13; i++) await held.answer(i, ["ok"]);
    expect(talk.statuses).toHaveLength(13);
    expect(talk.transport.calls).toEqual(["pause", "resume"]);
  });

  it("holds nothing behind a request that closes the connection", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    for (let i = 0; i < 40; i++) talk.receive("x".repeat(4000));
    expect(talk.transport.calls).toEqual([]);
    await held.answer(0, ["ok"]);
    expect(talk.statuses).toEqual([200]);
  });

  it("answers the valid requests before it refuses the one behind them", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(`${GET}nonsense\r\n\r\n`);
    expect(talk.statuses).toEqual([]);
    await held.answer(0, ["ok"]);
    expect(talk.statuses).toEqual([200, 400]);
    expect(talk.transport.calls).toEqual(["end"]);
    expect(talk.log).toMatch(
      /^tsgi: refused a request from 192\.0\.2\.1: 400 Bad Request: the request line is malformed\n$/,
    );
  });
});

describe("refusals", () => {
  const cases: [title: string, request: string, status: number, overrides?: Overrides][] = [
    ["no Host", "GET / HTTP/1.1\r\n\r\n", 400],
    ["a line over the limit", `GET /${"a".repeat(60)} HTTP/1.1\r\n`, 414, { limitRequestLine: 60 }],
    ["a field over the limit", `GET / HTTP/1.1\r\nX: ${"a".repeat(60)}\r\n`, 431, { limitRequestFieldSize: 60 }],
    ["too many fields", "GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3\r\n", 431, { limitRequestFields: 2 }],
    ["a length over the limit", post("Content-Length: 11", ""), 413, { limitRequestBody: 10 }],
    ["an unknown expectation", post("Content-Length: 1\r\nExpect: tea", ""), 417],
    ["an unknown coding", post("Transfer-Encoding: gzip, chunked", ""), 501],
    ["CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501],
    ["HTTP/2.0", "GET / HTTP/2.0\r\n\r\n", 505],
    ["an underscore", "GET / HTTP/1.1\r\nHost: h\r\nA_B: c\r\n\r\n", 400, { headerMap: "refuse" }],
  ];
  it.each(cases)("X16 %s", (_title, request, status, overrides) => {
    const app = vi.fn(hello);
    const talk = new Talk(app, overrides).receive(request);
    expect(app).not.toHaveBeenCalled();
    expect(talk.statuses).toEqual([status]);
    expect(talk.sent).toMatch(/^Content-Length: \d+$/m);
    expect(talk.sent).toContain("Date: now\nConnection: close\n\n");
    expect(talk.transport.calls).toEqual(["end"]);
    expect(talk.log.split("\n")).toHaveLength(2);
  });

  it("a refused HEAD gets no body", () => {
    expect(new Talk(hello).receive("HEAD / HTTP/1.1\r\n\r\n").sent).toMatch(/Connection: close\n\n$/);
  });

  it("headerMap dangerous maps underscores, but never onto the framing", async () => {
    const seen: Seen[] = [];
    const talk = new Talk(noting(seen), { headerMap: "dangerous" });
    talk.receive(
      "GET / HTTP/1.1\r\nHost: h\r\nA_B: c\r\nContent_Length: 5\r\nContent_Type: x\r\nTransfer_Encoding: chunked\r\n\r\n",
    );
    await talk.settled();
    expect(seen[0]?.fields).toEqual({ HTTP_HOST: "h", HTTP_A_B: "c" });
  });

  it("discards what follows and destroys the socket 2 s after FIN, once output is out", () => {
    const talk = new Talk(hello).receive("bad\r\n");
    talk.receive(GET);
    talk.transport.buffered = 10;
    talk.connection.tick(3000);
    talk.connection.tick(5000);
    talk.transport.buffered = 0;
    talk.connection.tick(5500);
    talk.connection.tick(7499);
    expect(talk.transport.calls).toEqual(["end"]);
    talk.connection.tick(7500);
    expect(talk.transport.calls).toEqual(["end", "destroy"]);
    expect(talk.statuses).toEqual([400]);
  });
});

describe("request bodies", () => {
  it("I12 a chunked body over the limit is a 413", async () => {
    const seen: Seen[] = [];
    const talk = new Talk(noting(seen), { limitRequestBody: 9 });
    talk.receive(post("Transfer-Encoding: chunked", "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"));
    await talk.settled();
    expect(talk.statuses).toEqual([413]);
    expect(seen[0]?.body).toBe("BodyTooLargeError");
  });

  it("I08 FIN inside a body rejects the read", async () => {
    const seen: Seen[] = [];
    const talk = new Talk(noting(seen)).receive(post("Content-Length: 5", "abc"));
    talk.connection.ended();
    await talk.settled();
    expect(seen[0]?.body).toBe("TruncatedBodyError");
    expect(talk.statuses).toEqual([400]);
    expect(talk.transport.calls).toEqual(["end"]);
  });

  it("reading stops while the application does not read, and goes on when it does", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(post("Content-Length: 200000", ""));
    for (let i = 0; i < 5; i++) talk.receive("x".repeat(16384));
    expect(talk.transport.calls).toEqual(["pause"]);
    const input = held.requests[0]?.environ["wsgi.input"];
    expect((await input?.read(81920))?.length).toBe(81920);
    expect(talk.transport.calls).toEqual(["pause"]);
    const more = input?.read(10);
    expect(talk.transport.calls).toEqual(["pause", "resume"]);
    talk.receive("y".repeat(16384));
    expect((await more)?.length).toBe(10);
  });

  const unread: [title: string, framing: string, rest: string, connection: string | null, next: boolean][] = [
    ["a short body is drained", "Content-Length: 5", "hello", null, true],
    ["up to 256 KiB are drained", "Content-Length: 262144", "x".repeat(262144), null, true],
    ["more than 256 KiB are not", "Content-Length: 262145", "x".repeat(262145), "close", false],
    ["a chunked body is drained", "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n", null, true],
    ["a broken one closes", "Transfer-Encoding: chunked", "5\r\nhelloXX\r\n0\r\n\r\n", null, false],
    [
      "a long chunked one closes",
      "Transfer-Encoding: chunked",
      `50000\r\n${"x".repeat(0x50000)}\r\n0\r\n\r\n`,
      null,
      false,
    ],
  ];
  it.each(unread)("I10 of an unread body, %s", async (_title, framing, rest, connection, next) => {
    const talk = new Talk(hello).receive(post(framing, ""));
    await talk.settled();
    for (let at = 0; at < rest.length; at += 65536) talk.receive(rest.slice(at, at + 65536));
    talk.receive(GET);
    await talk.settled();
    expect(/^Connection: (.*)$/m.exec(talk.sent)?.[1] ?? null).toBe(connection);
    expect(talk.statuses).toEqual(next ? [200, 200] : [200]);
    expect(talk.transport.calls).toEqual(next ? [] : ["end"]);
  });
});

describe("Expect: 100-continue", () => {
  const expecting = post("Content-Length: 5\r\nExpect: 100-continue", "");

  it("I11 is answered at the first read, once", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(expecting);
    expect(talk.statuses).toEqual([]);
    const input = held.requests[0]?.environ["wsgi.input"];
    const read = input?.read(2);
    expect(talk.sent).toBe("HTTP/1.1 100 Continue\n\n");
    talk.receive("h");
    await talk.settled();
    talk.receive("ello");
    await read;
    await input?.read();
    await held.answer(0, ["ok"]);
    expect(talk.statuses).toEqual([100, 200]);
    expect(talk.sent).not.toContain("Connection");
  });

  it("I11 is not answered when the application never reads: the connection closes", () => {
    const talk = new Talk(hello).receive(expecting);
    expect(talk.statuses).toEqual([200]);
    expect(talk.sent).toContain("Connection: close");
    expect(talk.transport.calls).toEqual(["end"]);
  });

  it("I11 is not answered when the body is already there", async () => {
    const seen: Seen[] = [];
    const talk = await new Talk(noting(seen)).receive(`${expecting}hello`).settled();
    expect(talk.statuses).toEqual([200]);
    expect(seen[0]?.body).toBe("hello");
  });

  it("I11 is not answered after the final head", async () => {
    const source = new Source();
    let input: Environ["wsgi.input"] | undefined;
    const talk = new Talk((environ, startResponse) => {
      input = environ["wsgi.input"];
      startResponse("200 OK", PLAIN);
      return source;
    });
    await talk.receive(expecting).settled();
    source.push("x");
    await talk.settled();
    input?.read();
    expect(talk.statuses).toEqual([200]);
  });

  it("I11 HTTP/1.0 is never told to continue", async () => {
    const seen: Seen[] = [];
    const talk = new Talk(noting(seen)).receive("POST / HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    await talk.settled();
    expect(talk.statuses).toEqual([]);
    await talk.receive("hello").settled();
    expect(talk.statuses).toEqual([200]);
  });
});

describe("the client goes away", () => {
  it("L03 FIN before the head is out is half-close: the answer comes", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(GET);
    const request = held.requests[0]?.environ["tsgi.request"] as Environ["tsgi.request"];
    expect(request.clientEnded).toBe(false);
    talk.connection.ended();
    expect(request.clientEnded).toBe(true);
    const { signal } = request;
    await held.answer(0, ["late"]);
    expect(talk.sent).toContain("late");
    expect(talk.sent).toContain("Connection: close");
    expect(talk.transport.calls).toEqual(["end"]);
    expect(signal.aborted).toBe(false);
  });

  it("L03 FIN behind pipelined requests: all are answered", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(GET + GET);
    talk.connection.ended();
    await held.answer(0, ["one"]);
    expect(held.requests.map(({ environ }) => environ["tsgi.request"].clientEnded)).toEqual([true, true]);
    await held.answer(1, ["two"]);
    expect(talk.statuses).toEqual([200, 200]);
    expect(talk.transport.calls).toEqual(["end"]);
  });

  it("I08 FIN inside a body that waited behind a response rejects the read", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(GET + post("Content-Length: 5", "ab"));
    talk.connection.ended();
    await held.answer(0, ["one"]);
    await expect(held.requests[1]?.environ["wsgi.input"].read()).rejects.toThrow("before its declared end");
    await held.answer(1, ["two"]);
    expect(talk.statuses).toEqual([200, 200]);
    expect(talk.transport.calls).toEqual(["end"]);
  });

  it("FIN while a body streams is departure: the socket is cut, the generator ends, the signal fires", async () => {
    const held = new Held();
    const source = new Source();
    const talk = new Talk(held.app).receive(GET);
    await held.answer(0, source);
    source.push("first");
    await talk.settled();
    const { signal } = held.requests[0]?.environ["tsgi.request"] as { signal: AbortSignal };
    talk.connection.ended();
    expect(talk.transport.calls).toEqual(["reset"]);
    talk.connection.closed();
    expect(signal.aborted).toBe(true);
    expect(source.returned).toBe(1);
    expect(talk.forgotten).toBe(1);
    expect(talk.log).toBe("");
  });

  it("a reset at any time is departure", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(post("Content-Length: 5", "ab"));
    const request = held.requests[0]?.environ;
    const read = request?.["wsgi.input"].read();
    talk.connection.closed();
    await expect(read).rejects.toThrow("The client closed the connection");
    expect(request?.["tsgi.request"].signal.aborted).toBe(true);
    const source = new Source();
    await held.answer(0, source);
    expect(source.returned).toBe(0); // it was never begun
    expect(talk.sent).toBe("");
  });

  it("a connection that is idle, or in the middle of a head, just ends", () => {
    for (const text of ["", "\r\n", "GET /", "GET / HTTP/1.1\r\nHost"]) {
      const talk = new Talk(hello);
      if (text !== "") talk.receive(text);
      talk.connection.ended();
      expect(talk.sent).toBe("");
      expect(talk.transport.calls).toEqual(["end"]);
    }
  });
});

describe("failures", () => {
  it("X10 before the head: a clean 500 that closes, on both versions", () => {
    for (const version of ["1.0", "1.1"]) {
      const talk = new Talk(() => {
        throw new Error("secret");
      }).receive(`GET / HTTP/${version}\r\nHost: h\r\n\r\n`);
      expect(talk.statuses).toEqual([500]);
      expect(talk.sent).toContain("Connection: close\n\n500 Internal Server Error\n");
      expect(talk.sent).not.toContain("secret");
      expect(talk.log).toContain("Error: secret");
      expect(talk.transport.calls).toEqual(["end"]);
    }
  });

  const failing = function* (_environ: Environ, startResponse: StartResponse): Generator<string> {
    startResponse("200 OK", PLAIN);
    yield "some";
    throw new Error("late");
  };

  it("X11 after the head: no last chunk, and the connection ends", () => {
    const talk = new Talk(failing).receive(GET);
    expect(talk.sent).toMatch(/\n\n4\nsome\n$/);
    expect(talk.transport.calls).toEqual(["end"]);
  });

  it("X11 where closing would look like success, the socket is reset", () => {
    const talk = new Talk(failing).receive("GET / HTTP/1.0\r\n\r\n");
    expect(talk.sent).toMatch(/\n\nsome$/);
    expect(talk.transport.calls).toEqual(["reset"]);
  });
});

describe("shutdown", () => {
  it("L01 an idle connection has drainIdle for one more request", () => {
    const idle = new Talk(hello, { drainIdle: 1 }).receive(GET);
    idle.connection.shutdown();
    idle.connection.tick(0);
    idle.connection.tick(999);
    expect(idle.transport.calls).toEqual([]);
    idle.receive(GET);
    expect(idle.sent).toMatch(/Connection: close\n\nhello$/);
    expect(idle.transport.calls).toEqual(["end"]);

    const silent = new Talk(hello, { drainIdle: 1 }).receive(GET);
    silent.connection.shutdown();
    silent.connection.tick(0);
    silent.connection.tick(1000);
    expect(silent.transport.calls).toEqual(["end"]);
  });

  it("L01 a running request is finished, and the connection ends behind it", async () => {
    const held = new Held();
    const busy = new Talk(held.app).receive(GET + GET);
    busy.connection.shutdown();
    expect(busy.transport.calls).toEqual([]);
    await held.answer(0, ["ok"]);
    expect(busy.sent).toContain("Connection: close");
    expect(busy.statuses).toEqual([200]);
    expect(busy.transport.calls).toEqual(["end"]);
  });

  it("a request that has begun to arrive is still served", () => {
    const talk = new Talk(hello).receive("GET / HT");
    talk.connection.shutdown();
    talk.receive("TP/1.1\r\nHost: h\r\n\r\n");
    expect(talk.statuses).toEqual([200]);
    expect(talk.transport.calls).toEqual(["end"]);
  });
});

describe("what a response head looks like", () => {
  const reply = (
    status: string,
    headers: [string, string][],
    body: Iterable<string>,
    request = GET,
    overrides: Overrides = {},
  ): string =>
    new Talk((_environ, startResponse) => {
      startResponse(status, headers);
      return body;
    }, overrides).receive(request).sent;
  const HEAD = GET.replace("GET", "HEAD");

  const cases: [title: string, sent: string, expected: string][] = [
    ["H01 Date is added", reply("200 OK", [], ["a"]), "HTTP/1.1 200 OK\nContent-Length: 1\nDate: now\n\na"],
    ["H01 but not twice", reply("200 OK", [["dATE", "x"]], ["a"]), "HTTP/1.1 200 OK\ndATE: x\nContent-Length: 1\n\na"],
    [
      "H02 Server when configured",
      reply("200 OK", [], ["a"], GET, { serverHeader: "s/1" }),
      "HTTP/1.1 200 OK\nContent-Length: 1\nDate: now\nServer: s/1\n\na",
    ],
    [
      "H02 but not twice",
      reply("200 OK", [["SERVER", "x"]], ["a"], GET, { serverHeader: "s" }),
      "HTTP/1.1 200 OK\nSERVER: x\nContent-Length: 1\nDate: now\n\na",
    ],
    [
      "H04 the application cannot set the framing",
      reply("200 OK", [["Transfer-Encoding", "chunked"]], ["a"]).split("\n")[0] as string,
      "HTTP/1.1 500 Internal Server Error",
    ],
    ["H05 an empty reason keeps its space", reply("200 ", [], []), "HTTP/1.1 200 \nContent-Length: 0\nDate: now\n\n"],
    [
      "R17 repeated names stay apart",
      reply("200 OK", [["Set-Cookie", "a"], ["Set-Cookie", "b"]], []),
      "HTTP/1.1 200 OK\nSet-Cookie: a\nSet-Cookie: b\nContent-Length: 0\nDate: now\n\n",
    ],
    [
      "B08 HEAD keeps the application's length",
      reply("200 OK", [["Content-Length", "12345"]], [], HEAD),
      "HTTP/1.1 200 OK\nContent-Length: 12345\nDate: now\n\n",
    ],
    [
      "B09 HEAD gets the length that GET would have",
      reply("200 OK", [], ["abc"], HEAD),
      "HTTP/1.1 200 OK\nContent-Length: 3\nDate: now\n\n",
    ],
    [
      "B10 204 has neither body nor length",
      reply("204 No Content", [["Content-Length", "3"]], ["abc"]),
      "HTTP/1.1 204 No Content\nDate: now\n\n",
    ],
    [
      "14.31 205 has no body, and says so",
      reply("205 Reset Content", [["Content-Length", "3"]], ["abc"]),
      "HTTP/1.1 205 Reset Content\nContent-Length: 0\nDate: now\n\n",
    ],
    [
      "14.31 205 of a generator is not chunked",
      reply(
        "205 Reset Content",
        [],
        (function* () {
          yield "abc";
        })(),
      ),
      "HTTP/1.1 205 Reset Content\nContent-Length: 0\nDate: now\n\n",
    ],
    [
      "B10 304 keeps a length that was given",
      reply("304 Not Modified", [["Content-Length", "3"]], ["abc"]),
      "HTTP/1.1 304 Not Modified\nContent-Length: 3\nDate: now\n\n",
    ],
    ["B10 304 is given none", reply("304 Not Modified", [], ["abc"]), "HTTP/1.1 304 Not Modified\nDate: now\n\n"],
  ];
  it.each(cases)("%s", (_title, sent, expected) => expect(sent).toBe(expected));
});
