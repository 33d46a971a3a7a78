/**
 * The rules of FastCGI one by one, F01 to F17: what a web server sends, and what it gets for it.
 */

import { describe, expect, it } from "vitest";
import type { Body, Environ, StartResponse } from "../../core/contract/types.ts";
import { echo, Held, hello, path, settle } from "./apps.ts";
import {
  begin,
  get,
  pairs,
  params,
  post,
  record,
  stdin,
  stdinEnd,
  Talk,
  type TextRecord,
  variables,
  type Vars,
} from "./harness.ts";

const COMPLETE = [[0, 0]];

describe("F01 records", () => {
  it("F01 padding is skipped, whatever it holds, for every type of record", async () => {
    const talk = new Talk(echo);
    const vars = pairs(variables({ REQUEST_METHOD: "POST", CONTENT_LENGTH: "4" }));
    talk.receive(
      record(1, 1, "\0\x01\x01\0\0\0\0\0", 255),
      record(4, 1, vars, 7),
      record(4, 1, "", 8),
      record(5, 1, "body", 1),
      record(5, 1, "", 255),
      record(9, 0, pairs({ FCGI_MPXS_CONNS: "" }), 3),
    );
    await talk.settled();
    expect(talk.response(1).body).toBe("body");
    expect(talk.records.map(({ type }) => type)).toEqual([10, 6, 6, 6, 3]);
    expect(talk.log).toBe("");
  });

  it("F01 content of 0 to 65535 bytes", async () => {
    for (const size of [1, 255, 256, 65535]) {
      const body = "b".repeat(size);
      const talk = await new Talk(echo).receive(post(1, body)).settled();
      expect(talk.response(1).body).toBe(body);
    }
  });

  it.each([0, 2, 71, 255])(
    "F01 version %i is not FastCGI: the connection is reset, and the log says why",
    (version) => {
      const talk = new Talk(hello).receive(get(1));
      talk.receive(String.fromCharCode(version) + get(2).slice(1));
      expect(talk.transport.calls).toEqual(["reset"]);
      expect(talk.logged).toEqual([
        `tsgi: refused a connection from 192.0.2.1: a record of version ${version}; expected version 1`,
      ]);
      talk.receive(get(3)); // nobody listens any more
      expect(talk.response(3).ends).toEqual([]);
    },
  );

  it("F01 a broken record ends the requests that run: their close() is called", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(get(1, "/a"), get(2, "/b"));
    await held.of("b").answer((function* () {
      for (;;) yield "x".repeat(100_000);
    })());
    talk.transport.flowing = false;
    talk.receive("HTTP/1.1");
    await settle();
    expect(held.of("a").aborted).toMatchObject({ name: "ClientDisconnectedError" });
    expect(held.of("b").closed).toBe(1);
    talk.connection.closed();
    expect([talk.forgotten, held.of("b").closed]).toEqual([1, 1]);
  });
});

it("F02 types that only an application sends, and those unknown, are ignored where they name a request", async () => {
  const talk = new Talk(echo).receive(begin(1));
  for (const type of [3, 6, 7, 8, 9, 10, 11, 12, 255]) talk.receive(record(type, 1, "nonsense"), record(type, 1));
  talk.receive(post(1, "body").slice(16));
  await talk.settled();
  expect(talk.response(1).body).toBe("body");
  expect(talk.records.map(({ type }) => type)).toEqual([6, 6, 6, 3]);
});

describe("F03 name-value pairs", () => {
  const seen: Vars[] = [];
  const noting = (environ: Environ, startResponse: StartResponse): Body => {
    seen.push(Object.fromEntries(Object.entries(environ).filter(([key]) => /^(HTTP_)?X+/.test(key))) as Vars);
    return hello(environ, startResponse);
  };
  const values: readonly string[] = ["", "v", "v".repeat(127), "v".repeat(128), "v".repeat(65536), "\u00ff\u0080"];

  it.each(values.map((value) => [value.length, value] as const))("F03 a value of %i bytes", (_length, value) => {
    const block = pairs(variables({ X: value, XX: "after" }));
    const talk = new Talk(noting);
    talk.receive(begin(1));
    for (let at = 0; at < block.length; at += 60_000) talk.receive(record(4, 1, block.slice(at, at + 60_000)));
    talk.receive(record(4, 1));
    expect(seen.pop()).toEqual({ X: value, XX: "after" });
    expect(talk.response(1).ends).toEqual(COMPLETE);
  });

  it.each([1, 127, 128, 1000])("F03 a name of %i bytes", (length) => {
    new Talk(noting).receive(begin(1), params(1, { ["X".repeat(length)]: "v" }));
    expect(seen.pop()).toEqual({ ["X".repeat(length)]: "v" });
  });

  it("F03 four bytes may say what one could", () => {
    const wide = "\x80\0\0\x01\x80\0\0\x02Xvv";
    new Talk(noting).receive(begin(1), record(4, 1, pairs(variables()) + wide), record(4, 1));
    expect(seen.pop()).toEqual({ X: "vv" });
  });

  it("F03 pairs lie across records in any way", () => {
    const block = pairs(variables({ XA: "a".repeat(200), XB: "b" }));
    for (const size of [1, 2, 3, 5, 127]) {
      const talk = new Talk(noting).receive(begin(1));
      for (let at = 0; at < block.length; at += size) talk.receive(record(4, 1, block.slice(at, at + size)));
      talk.receive(record(4, 1));
      expect(seen.pop()).toEqual({ XA: "a".repeat(200), XB: "b" });
    }
  });

  it("F03 PARAMS that end inside a pair are refused, wherever; the connection lives on", () => {
    const last = pairs({ X: "v".repeat(130) });
    for (let cut = 1; cut < last.length; cut += 1) {
      const talk = new Talk(hello).receive(begin(1));
      talk.receive(record(4, 1, pairs(variables()) + last.slice(0, cut)), record(4, 1), stdinEnd(1), get(2));
      expect(talk.statuses).toEqual(["400 Bad Request", "200 OK"]);
      expect(talk.transport.calls).toEqual([]);
      expect(talk.logged).toEqual([
        "tsgi: refused a request from 192.0.2.1: 400 Bad Request: PARAMS end inside a name-value pair",
      ]);
    }
  });

  it("F03 lengths beyond everything are refused", () => {
    const talk = new Talk(hello).receive(begin(1), record(4, 1, "\xff\xff\xff\xff\xff\xff\xff\xffX"), record(4, 1));
    expect(talk.statuses).toEqual(["400 Bad Request"]);
  });

  it.each<[title: string, pairs: [string, string][], status: string]>([
    ["no name", [["", "v"]], "400 Bad Request"],
    ["CONTENT_LENGTH twice", [["CONTENT_LENGTH", "1"], ["CONTENT_LENGTH", "2"]], "400 Bad Request"],
    ["CONTENT_LENGTH that is none", [["CONTENT_LENGTH", "-1"]], "400 Bad Request"],
    ["a method that is none", [["REQUEST_METHOD", "G T"]], "400 Bad Request"],
  ])("F03 %s: refused", (_title, more, status) => {
    const talk = new Talk(hello).receive(begin(1));
    talk.receive(record(4, 1, pairs(variables()) + pairs(more)), record(4, 1), get(2));
    expect(talk.statuses).toEqual([status, "200 OK"]);
    expect(talk.response(1).ends).toEqual([[1, 0]]);
    expect(talk.logged).toHaveLength(1);
  });
});

describe("F04 STDIN", () => {
  const upload = (id: number, vars: Vars): string => begin(id) + params(id, { REQUEST_METHOD: "POST", ...vars });

  it("F04 the application starts behind PARAMS; without a body it does not wait for STDIN to end", () => {
    for (const more of [{}, { CONTENT_LENGTH: "" }, { CONTENT_LENGTH: "0" }]) {
      const talk = new Talk(hello).receive(begin(1), params(1, more as Vars));
      expect(talk.response(1).body).toBe("hello");
      talk.receive(stdinEnd(1)); // late, and harmless
      expect(talk.response(1).ends).toEqual(COMPLETE);
      expect(talk.log).toBe("");
    }
  });

  it("F04 CONTENT_LENGTH bytes are the body, though STDIN has not ended", async () => {
    const talk = new Talk(echo).receive(upload(1, { CONTENT_LENGTH: "4" }), stdin(1, "body"));
    await talk.settled();
    expect(talk.response(1).body).toBe("body");
  });

  it("F04 never more than CONTENT_LENGTH", async () => {
    const talk = new Talk(echo).receive(
      upload(1, { CONTENT_LENGTH: "4" }),
      stdin(1, "bodyGET / HTTP/1.1"),
      stdin(1, "x"),
    );
    talk.receive(stdinEnd(1));
    await talk.settled();
    expect(talk.response(1).body).toBe("body");
    expect(talk.transport.calls).toEqual([]);
  });

  it("F04 fewer than CONTENT_LENGTH: the read fails, and the web server gets a 400", async () => {
    let name = "";
    const talk = new Talk(async (environ: Environ): Promise<Body> => {
      await environ["wsgi.input"].read().catch((error: Error) => {
        name = error.name;
        throw error;
      });
      return [];
    });
    talk.receive(upload(1, { CONTENT_LENGTH: "5" }), stdin(1, "bod"), stdinEnd(1));
    await talk.settled();
    expect(name).toBe("TruncatedBodyError");
    expect(talk.statuses).toEqual(["400 Bad Request"]);
    expect(talk.response(1).ends).toEqual([[1, 0]]);
  });

  it("F04 without a CONTENT_LENGTH the body ends with STDIN", async () => {
    const talk = new Talk(echo).receive(upload(1, { CONTENT_LENGTH: "" }), stdin(1, "part1"));
    await talk.settled();
    expect(talk.response(1).body).toBe("");
    await talk.receive(stdin(1, "part2"), stdinEnd(1)).settled();
    expect(talk.response(1).body).toBe("part1part2");
  });

  it("F04 limitRequestBody holds with and without a CONTENT_LENGTH", async () => {
    const stated = new Talk(echo, { limitRequestBody: 4 }).receive(upload(1, { CONTENT_LENGTH: "5" }), get(2));
    await stated.settled();
    expect(stated.statuses).toEqual(["413 Content Too Large", "200 OK"]);
    const silent = new Talk(echo, { limitRequestBody: 4 }).receive(upload(1, {}), stdin(1, "body"));
    await silent.settled();
    expect(silent.statuses).toEqual([]);
    await silent.receive(stdin(1, "!"), stdinEnd(1)).settled();
    expect(silent.statuses).toEqual(["413 Content Too Large"]);
    const exact = new Talk(echo, { limitRequestBody: 4 }).receive(upload(1, {}), stdin(1, "body"), stdinEnd(1));
    await exact.settled();
    expect(exact.response(1).body).toBe("body");
  });

  it("F04 STDIN before the end of PARAMS is refused; the connection lives on", () => {
    for (const text of ["body", ""]) {
      const talk = new Talk(hello).receive(begin(1), stdin(1, text), params(1), get(2));
      expect(talk.statuses).toEqual(["400 Bad Request", "200 OK"]);
      expect(talk.logged).toHaveLength(1);
    }
  });

  it("F04 PARAMS behind their end are ignored", async () => {
    const talk = new Talk(echo).receive(upload(1, { CONTENT_LENGTH: "4" }));
    talk.receive(record(4, 1, pairs({ CONTENT_LENGTH: "9" })), record(4, 1), stdin(1, "body"));
    await talk.settled();
    expect(talk.response(1).body).toBe("body");
  });
});

it.each([0, 2, 3, 4, 257, 65535])("F05 F15 role %i: UNKNOWN_ROLE, and the connection lives on", (role) => {
  let calls = 0;
  const talk = new Talk((environ, startResponse) => {
    calls++;
    return hello(environ, startResponse);
  });
  talk.receive(begin(1, true, role), params(1), stdinEnd(1));
  expect(talk.records.map(({ type, id, content }) => [type, id, content])).toEqual([
    [3, 1, "\0\0\0\0\x03\0\0\0"],
  ]);
  expect([calls, talk.transport.calls]).toEqual([0, []]);
  expect(talk.logged).toEqual([
    `tsgi: refused a request from 192.0.2.1: UNKNOWN_ROLE: role ${role}; expected 1`,
  ]);
  talk.receive(get(1));
  expect([calls, talk.statuses]).toEqual([1, ["200 OK"]]);
  expect(new Talk(hello).receive(begin(1, false, role)).transport.calls).toEqual(["end"]);
});

describe("F06 KEEP_CONN", () => {
  it("F06 set: more requests follow, with the same or another id", () => {
    const talk = new Talk(path).receive(get(1, "/a"));
    talk.receive(get(1, "/b"), get(7, "/c"), get(65535, "/d"));
    expect(talk.records.filter(({ type }) => type === 3)).toHaveLength(4);
    expect(talk.response(65535).body).toBe("/d");
    expect(talk.transport.calls).toEqual([]);
  });

  it("F06 clear: the connection ends behind END_REQUEST", () => {
    const talk = new Talk(hello).receive(get(1, "/", false));
    expect(talk.response(1).ends).toEqual(COMPLETE);
    expect(talk.transport.calls).toEqual(["end"]);
    talk.receive(get(2));
    expect(talk.response(2).ends).toEqual([]);
    talk.connection.ended();
    talk.connection.closed();
    expect([talk.transport.calls, talk.forgotten]).toEqual([["end"], 1]);
  });

  it("F06 clear: other requests on the connection are still answered", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(get(1, "/a"), get(2, "/b", false), get(3, "/c"));
    await held.of("b").answer(["b"]);
    expect(talk.transport.calls).toEqual([]);
    await held.of("a").answer(["a"]);
    await held.of("c").answer(["c"]);
    expect([1, 2, 3].map((id) => talk.response(id).body)).toEqual(["a", "b", "c"]);
    expect(talk.transport.calls).toEqual(["end"]);
  });

  it("F06 a refused request counts as one", () => {
    expect(new Talk(hello).receive(begin(1, false), stdin(1, "x")).transport.calls).toEqual(["end"]);
  });

  it("F06 the last request that maxRequestsPerConnection allows ends it", () => {
    const talk = new Talk(path, { maxRequestsPerConnection: 2 }).receive(get(1), get(1), get(1));
    expect(talk.statuses).toHaveLength(2);
    expect(talk.transport.calls).toEqual(["end"]);
  });
});

describe("F07 output", () => {
  it("F07 STDOUT is a CGI response; then its end, then END_REQUEST", () => {
    const talk = new Talk(hello).receive(get(5));
    expect(talk.records).toEqual<TextRecord[]>([
      { type: 6, id: 5, content: "Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n" },
      { type: 6, id: 5, content: "hello" },
      { type: 6, id: 5, content: "" },
      { type: 3, id: 5, content: "\0\0\0\0\0\0\0\0" },
    ]);
  });

  it("F07 blocks and heads of any size are cut into records", async () => {
    for (const size of [1, 32759, 32760, 32761, 65535, 65536, 200_000]) {
      const block = "x".repeat(size);
      const talk = new Talk((_environ, startResponse) => {
        startResponse("200 OK", [["X-Long", block.slice(0, 100_000)]]);
        return [block, "end"];
      });
      await talk.receive(get(1)).settled();
      const { head, body, ends, stdoutEnds } = talk.response(1);
      expect(head).toContain(`X-Long: ${block.slice(0, 100_000)}\r\n`);
      expect(body === `${block}end`).toBe(true);
      expect([ends, stdoutEnds]).toEqual([COMPLETE, 1]);
    }
  });

  it("F07 the same when nothing flows", () => {
    const block = "0123456789".repeat(20_000);
    const talk = new Talk((_environ, startResponse) => {
      startResponse("200 OK", []);
      return [block];
    });
    talk.transport.write = function (bytes) {
      this.sent += String.fromCharCode(...bytes);
      return this.sent.length < 1000;
    };
    talk.receive(get(1));
    talk.connection.drained();
    expect(talk.response(1).body === block).toBe(true);
    expect(talk.response(1).ends).toEqual(COMPLETE);
  });

  it.each([
    ["HEAD", "200 OK", "5"],
    ["GET", "204 No Content", undefined],
    ["GET", "205 Reset Content", "0"],
    ["GET", "304 Not Modified", "5"],
  ])("F07 14.31 %s with %s has no body, yet all records", (method, status, length) => {
    const talk = new Talk((_environ, startResponse) => {
      startResponse(status, [["Content-Length", "5"]]);
      return ["hello"];
    }).receive(begin(1), params(1, { REQUEST_METHOD: method }));
    expect(talk.response(1)).toMatchObject({ body: "", stdoutEnds: 1, ends: COMPLETE });
    expect(/Content-Length: (\d+)/.exec(talk.response(1).head)?.[1]).toBe(length);
  });

  it("F07 a failure before the head is a 500 with appStatus 1; the connection lives on", () => {
    const talk = new Talk(() => {
      throw new Error("boom");
    });
    talk.receive(get(1), get(1));
    expect(talk.statuses).toEqual(["500 Internal Server Error", "500 Internal Server Error"]);
    expect(talk.response(1)).toMatchObject({ body: expect.stringContaining("500 Internal Server Error\n") });
    expect(talk.response(1).ends).toEqual([[1, 0], [1, 0]]);
    expect(talk.transport.calls).toEqual([]);
    expect(talk.log).toContain("Error: boom");
    expect(talk.transport.sent).not.toContain("boom");
  });

  it("F07 wsgi.errors goes to the log, not to STDERR", () => {
    const talk = new Talk((environ, startResponse) => {
      environ["wsgi.errors"].write("a word\n");
      return hello(environ, startResponse);
    });
    talk.receive(get(1));
    expect(talk.log).toBe("a word\n");
    expect(talk.records.some(({ type }) => type === 7)).toBe(false);
  });

  it("F07 what FastCGI has not: interim responses and the socket", () => {
    let error: unknown;
    const talk = new Talk((environ, startResponse) => {
      environ["tsgi.request"].earlyHints([["Link", "</a>; rel=preload"]]);
      try {
        environ["tsgi.request"].upgrade();
      } catch (thrown) {
        error = thrown;
      }
      return hello(environ, startResponse);
    });
    talk.receive(get(1));
    expect(error).toMatchObject({ name: "RequestError" });
    expect(talk.records).toHaveLength(4);
  });
});

describe("F08 GET_VALUES", () => {
  const KNOWN = { FCGI_MAX_CONNS: "", FCGI_MAX_REQS: "", FCGI_MPXS_CONNS: "" };

  it("F08 at any time, also before and during a request", () => {
    const held = new Held();
    const talk = new Talk(held.app, { maxConnections: 100 });
    talk.receive(record(9, 0, pairs(KNOWN)), begin(1), record(9, 0, pairs(KNOWN)), params(1));
    talk.receive(record(9, 0, pairs(KNOWN)));
    const result = {
      type: 10,
      id: 0,
      content: pairs({ FCGI_MAX_CONNS: "100", FCGI_MAX_REQS: "64", FCGI_MPXS_CONNS: "1" }),
    };
    expect(talk.records).toEqual([result, result, result]);
  });

  it("F08 what is not known is omitted, what is asked twice is said once", () => {
    const talk = new Talk(hello).receive(
      record(9, 0, pairs([["FCGI_MPXS_CONNS", ""], ["OTHER", ""], ["FCGI_MPXS_CONNS", "0"], ["", ""]])),
      record(9, 0),
    );
    expect(talk.records.map(({ type, content }) => [type, content])).toEqual([
      [10, pairs({ FCGI_MPXS_CONNS: "1" })],
      [10, ""],
    ]);
  });

  it("F08 without a limit of connections a number is given all the same", () => {
    const talk = new Talk(hello).receive(record(9, 0, pairs({ FCGI_MAX_CONNS: "" })));
    expect(talk.records[0]?.content).toBe(pairs({ FCGI_MAX_CONNS: "65535" }));
  });

  it("F08 one that ends inside a pair is no FastCGI", () => {
    const talk = new Talk(hello).receive(record(9, 0, "\x05\x00FCGI"));
    expect(talk.transport.calls).toEqual(["reset"]);
    expect(talk.logged).toHaveLength(1);
  });
});

it.each([0, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 255])("F09 management record of type %i: UNKNOWN_TYPE", (type) => {
  const talk = new Talk(hello).receive(record(type, 0, "whatever", 3), get(1));
  expect(talk.records[0]).toEqual({ type: 11, id: 0, content: `${String.fromCharCode(type)}\0\0\0\0\0\0\0` });
  expect(talk.statuses).toEqual(["200 OK"]);
});

it("F10 records for ids that are not active are ignored: never begun, and after END_REQUEST", () => {
  const talk = new Talk(hello);
  talk.receive(record(2, 1), params(1), stdin(1, "x"), stdinEnd(1), record(8, 1, "data"), record(8, 1));
  expect(talk.transport.sent).toBe("");
  talk.receive(get(1));
  const { sent } = talk.transport;
  talk.receive(stdin(1, "late"), stdinEnd(1), record(2, 1), params(1));
  expect(talk.transport.sent).toBe(sent);
  expect([talk.log, talk.transport.calls]).toEqual(["", []]);
});

describe("F11 multiplexing", () => {
  it("F11 requests arrive interleaved and are answered as they are ready", async () => {
    const talk = new Talk(echo);
    const head = (id: number): string => params(id, { REQUEST_METHOD: "POST", CONTENT_LENGTH: "6" });
    const [one, two] = [head(1), head(2)];
    const cut = one.indexOf("REQUEST_METHOD") + 3;
    const block = one.slice(8, -8);
    talk.receive(begin(1), record(4, 1, block.slice(0, cut)), begin(2), two, record(4, 1, block.slice(cut)));
    talk.receive(stdin(2, "two"), record(4, 1), stdin(1, "one"), stdin(2, "TWO"));
    await talk.settled();
    expect(talk.records.map(({ id }) => id)).toEqual([2, 2, 2, 2]);
    await talk.receive(stdin(1, "ONE"), stdinEnd(2), stdinEnd(1)).settled();
    expect([talk.response(1).body, talk.response(2).body]).toEqual(["oneONE", "twoTWO"]);
    expect([talk.response(1).ends, talk.response(2).ends]).toEqual([COMPLETE, COMPLETE]);
  });

  it("F11 an id is free again after END_REQUEST", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(get(1, "/a"), get(2, "/b"));
    await held.of("a").answer(["a"]);
    talk.receive(get(1, "/c"));
    await held.of("c").answer(["c"]);
    await held.of("b").answer(["b"]);
    expect(talk.records.filter(({ type }) => type === 3).map(({ id }) => id)).toEqual([1, 1, 2]);
  });

  it("F11 F17 more than 64 at a time: OVERLOADED, until one has ended", async () => {
    const held = new Held();
    const talk = new Talk(held.app);
    for (let id = 1; id <= 64; id++) talk.receive(id % 2 === 0 ? begin(id) : get(id, `/${id}`));
    expect(talk.transport.sent).toBe("");
    talk.receive(get(65));
    expect(talk.records).toEqual([{ type: 3, id: 65, content: "\0\0\0\0\x02\0\0\0" }]);
    expect(talk.logged).toEqual([
      "tsgi: refused a request from 192.0.2.1: OVERLOADED: more than 64 requests at a time",
    ]);
    await held.of("1").answer([]);
    await talk.receive(get(65, "/65")).settled();
    await held.of("65").answer(["yes"]);
    expect(talk.response(65).body).toBe("yes");
  });
});

describe("F12 a second BEGIN_REQUEST for an active id", () => {
  it("F12 is a protocol error: reset, one log line, close() of all", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(get(1, "/a"), get(2, "/b"));
    talk.receive(begin(1));
    await settle();
    expect(talk.transport.calls).toEqual(["reset"]);
    expect(talk.logged).toEqual([
      "tsgi: refused a connection from 192.0.2.1: BEGIN_REQUEST for request 1, which runs",
    ]);
    expect(held.requests.map(({ aborted }) => (aborted as Error).name)).toEqual(
      Array(2).fill("ClientDisconnectedError"),
    );
    for (const one of held.requests) await one.answer(["late"]);
    expect(held.requests.map(({ closed }) => closed)).toEqual([1, 1]);
    expect(talk.transport.sent).toBe("");
  });

  it("F12 also before the end of PARAMS, and for a role we have not", () => {
    expect(new Talk(hello).receive(begin(1), begin(1)).transport.calls).toEqual(["reset"]);
    expect(new Talk(hello).receive(begin(1), begin(1, true, 2)).transport.calls).toEqual(["reset"]);
  });

  it.each([0, 7, 9])("F12 so is one of %i bytes", (length) => {
    const talk = new Talk(hello).receive(record(1, 1, "\0\x01".padEnd(length, "\0").slice(0, length)));
    expect(talk.transport.calls).toEqual(["reset"]);
    expect(talk.logged).toHaveLength(1);
  });
});

describe("F13 ABORT_REQUEST", () => {
  it("F13 before the end of PARAMS: END_REQUEST at once, and the application is not called", () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(begin(1), record(4, 1, pairs(variables())), record(2, 1), record(4, 1));
    expect(talk.records).toEqual([{ type: 3, id: 1, content: "\0\0\0\x01\0\0\0\0" }]);
    expect(held.requests).toHaveLength(0);
    talk.receive(get(1));
    expect(held.requests).toHaveLength(1);
  });

  it("F13 while the application runs: the signal fires, close() is called, and END_REQUEST does not wait", async () => {
    const held = new Held();
    const talk = new Talk(held.app).receive(get(1, "/a"), get(2, "/b"));
    talk.receive(record(2, 1));
    expect(held.of("a").aborted).toMatchObject({ name: "ClientDisconnectedError" });
    expect(talk.response(1)).toMatchObject({ stdout: "", ends: [[1, 0]] });
    await held.of("a").answer(["late"]);
    expect([held.of("a").closed, talk.response(1).stdout]).toEqual([1, ""]);
    await held.of("b").answer(["b"]);
    expect(talk.response(2).body).toBe("b");
  });

  it("F13 one with content, during which the response ends: there is no second END_REQUEST", async () => {
    const held = new Held();
    const abort = record(2, 1, "unexpected");
    const talk = new Talk(held.app).receive(get(1, "/a"), abort.slice(0, 10));
    await held.of("a").answer(["a"]);
    talk.receive(abort.slice(10));
    expect(talk.response(1).ends).toEqual([[0, 0]]);
  });

  it("F13 while the body streams: the generator is stopped, STDOUT is ended", async () => {
    let ended = 0;
    const talk = new Talk((_environ, startResponse) => {
      startResponse("200 OK", []);
      return (async function* (): AsyncGenerator<string> {
        try {
          for (;;) {
            yield "x";
            await settle();
          }
        } finally {
          ended++;
        }
      })();
    });
    await talk.receive(get(1)).settled();
    talk.receive(record(2, 1));
    const { sent } = talk.transport;
    for (let i = 0; i < 5; i++) await settle();
    expect([ended, talk.transport.sent]).toEqual([1, sent]);
    expect(talk.response(1)).toMatchObject({ stdoutEnds: 1, ends: [[1, 0]] });
  });

  it("F13 while the application waits for input: the read rejects", async () => {
    let name = "";
    const talk = new Talk(async (environ: Environ): Promise<Body> => {
      await environ["wsgi.input"].read().catch((error: Error) => void (name = error.name));
      return [];
    });
    talk.receive(begin(1, false), params(1, { REQUEST_METHOD: "POST", CONTENT_LENGTH: "9" }), stdin(1, "abc"));
    talk.receive(record(2, 1));
    await settle();
    expect(name).toBe("InputClosedError");
    expect([talk.response(1).ends, talk.transport.calls, talk.log]).toEqual([[[1, 0]], ["end"], ""]);
  });
});

describe("F14 the web server is gone", () => {
  it.each(["ended", "closed"] as const)("F14 %s: every request on the connection departs", async (how) => {
    const held = new Held();
    const talk = new Talk(held.app).receive(get(1, "/a"), get(2, "/b"), begin(3), begin(4));
    talk.receive(params(3, { PATH_INFO: "/c", CONTENT_LENGTH: "5" }), stdin(3, "x"));
    talk.connection[how]();
    await settle();
    expect(held.requests.map(({ aborted }) => (aborted as Error | undefined)?.name)).toEqual(
      Array(3).fill("ClientDisconnectedError"),
    );
    for (const one of held.requests) await one.answer(["late"]);
    expect(held.requests.map(({ closed }) => closed)).toEqual([1, 1, 1]);
    expect(talk.transport.sent).toBe("");
    if (how === "ended") talk.connection.closed();
    expect([talk.forgotten, talk.log]).toEqual([1, ""]);
    expect(talk.transport.calls).toEqual(how === "ended" ? ["destroy"] : []);
  });

  it("F14 an idle connection just ends, also inside a record", () => {
    for (const text of ["", get(1), get(1) + begin(2).slice(0, 5)]) {
      const talk = new Talk(hello);
      if (text !== "") talk.receive(text);
      talk.connection.ended();
      expect([talk.transport.calls, talk.log]).toEqual([["end"], ""]);
    }
  });

  it("F14 other connections are unharmed", async () => {
    const [one, two] = [new Held(), new Held()];
    const [first, second] = [new Talk(one.app).receive(get(1, "/a")), new Talk(two.app).receive(get(1, "/a"))];
    first.connection.closed();
    await two.of("a").answer(["fine"]);
    expect(second.response(1).body).toBe("fine");
    expect(two.of("a").aborted).toBe(undefined);
  });
});

it("F16 the environ is made of PARAMS as in CGI, and knows nothing of the web server's own socket", () => {
  let environ: Record<string, unknown> = {};
  const talk = new Talk((given, startResponse) => {
    environ = given;
    return hello(given, startResponse);
  }, { scriptName: "/app" });
  talk.receive(
    begin(1),
    params(1, {
      PATH_INFO: "/app/x",
      FCGI_ROLE: "RESPONDER",
      "wsgi.url_scheme": "evil",
      HTTP_PROXY: "evil",
      HTTPS: "on",
      HTTP_X: "\u00ff",
      REMOTE_ADDR: "",
    }),
  );
  expect(environ).toMatchObject({
    SCRIPT_NAME: "/app",
    PATH_INFO: "/x",
    FCGI_ROLE: "RESPONDER",
    HTTP_X: "\u00ff",
    "wsgi.url_scheme": "https",
    "wsgi.multithread": false,
    "wsgi.run_once": false,
    SERVER_PROTOCOL: "HTTP/1.1",
    REMOTE_ADDR: "",
  });
  expect(environ).not.toHaveProperty("HTTP_PROXY");
  expect(environ).not.toHaveProperty("REMOTE_PORT");
});

describe("F17 limits", () => {
  it("F17 PARAMS of more than 131072 bytes: 431 for that request, in one record or in many", () => {
    const block = pairs(variables({ X: "x".repeat(140_000) }));
    for (const size of [65535, 1000]) {
      const talk = new Talk(hello).receive(begin(1));
      for (let at = 0; at < block.length; at += size) talk.receive(record(4, 1, block.slice(at, at + size)));
      talk.receive(record(4, 1), stdinEnd(1), get(2));
      expect(talk.statuses).toEqual(["431 Request Header Fields Too Large", "200 OK"]);
      expect(talk.logged).toEqual([
        "tsgi: refused a request from 192.0.2.1: 431 Request Header Fields Too Large: variables of more than 131072 bytes",
      ]);
      expect(talk.transport.calls).toEqual([]);
    }
  });

  it("F17 131072 bytes of PARAMS are taken, and 1000 variables, and no more", () => {
    const least = pairs(variables({ X: "x".repeat(1000) })).length - 1000;
    const large = pairs(variables({ X: "x".repeat(131_072 - least) }));
    expect(large.length).toBe(131_072);
    const talk = new Talk(hello).receive(begin(1), record(4, 1, large.slice(0, 65535)));
    talk.receive(record(4, 1, large.slice(65535, 131_070)), record(4, 1, large.slice(131_070)), record(4, 1));
    const many = (count: number): string =>
      pairs(variables()) + pairs(Array.from({ length: count - 6 }, (_, i) => [`X${i}`, ""] as const));
    talk.receive(begin(2), record(4, 2, many(1000)), record(4, 2), begin(3), record(4, 3, many(1001)), record(4, 3));
    expect(talk.statuses).toEqual(["200 OK", "200 OK", "431 Request Header Fields Too Large"]);
  });

  it("F17 BEGIN_REQUEST with id 0 begins nothing", () => {
    const talk = new Talk(hello).receive(begin(0), params(0), get(1));
    expect(talk.records.filter(({ id }) => id === 0).map(({ type }) => type)).toEqual([11, 11, 11]);
    expect(talk.statuses).toEqual(["200 OK"]);
  });
});
