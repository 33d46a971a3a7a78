/** Sections 2 and 3 of the gateway rules: wsgi.input and wsgi.errors. @module */

import { createHash } from "node:crypto";
import { expect } from "vitest";
import { chunked, latin1, requestBytes } from "../client.ts";
import { bytesOf, field, textOf } from "../response.ts";
import type { Case, Trial } from "../trial.ts";
import { expectFirst, expectOnly, unchunked, uploadStream, WIRE } from "./reasons.ts";

const HOST_BODY = "the host reads, checks and drains request bodies itself";
const BUN_FIN = "Bun.serve closes a connection without an answer at FIN inside a body";
const LEFT = "wire only: the front end decides what becomes of a connection with a body that nobody read";
const BOTH_WAYS = {
  nginx: "nginx sends nothing more of a request once it has sent the response head",
  apache: "Apache reads nothing of a response before it has sent the whole request",
};
const CUT = "the front end answers, or closes, when the client sends FIN inside a body";
const TE = [["Transfer-Encoding", "chunked"]] as const;
const OCTETS = Uint8Array.from({ length: 512 }, (_, i) => i & 255);
const LINES = "one\ntwo\r\n\n\rlast";

/** Runs reads over a body and gives what each gave. */
async function reads(
  t: Trial,
  ops: string,
  body: string | Uint8Array,
  headers: readonly (readonly [string, string])[] = [],
): Promise<unknown[]> {
  return JSON.parse(await t.text(`/input?ops=${ops}`, { method: "POST", headers, body })) as unknown[];
}

function table(rule: string, body: string, rows: readonly (readonly [ops: string, expected: unknown[]])[]): Case[] {
  return rows.flatMap(([ops, expected]): Case[] => [
    {
      title: `${rule}: ${ops}`,
      check: async (t) => expect(await reads(t, ops, body)).toEqual(expected),
    },
    {
      title: `${rule}, each byte in a chunk of its own: ${ops}`,
      not: unchunked,
      check: async (t) => expect(await reads(t, ops, chunked([...body]), TE)).toEqual(expected),
    },
  ]);
}

/** Cases I and X01, X02. */
export const inputCases: readonly Case[] = [
  ...table("I01, I03 read gives bytes, the remainder without a size, then empty for ever", "hello", [
    ["read;read;read:5;readline;readlines;iter;read", ["hello", "", "", "", [], "", ""]],
    ["read:3;read;read:1", ["hel", "lo", ""]],
    ["read:0;read:2;read:0;read:100;read:0", ["", "he", "", "llo", ""]],
    ["read:-1;read", ["hello", ""]],
  ]),
  ...table("I05 readline keeps line ends, the last line may lack one", LINES, [
    ["readline;readline;readline;readline;readline", ["one\n", "two\r\n", "\n", "\rlast", ""]],
    ["readline:2;readline:2;readline:10;readline:0;readline:4;readline:1", ["on", "e\n", "two\r\n", "", "\n", "\r"]],
  ]),
  ...table("I06 readlines; by decision a hint stops after the line that reaches it", LINES, [
    ["readlines;readlines", [["one\n", "two\r\n", "\n", "\rlast"], []]],
    ["readlines:4;readlines", [["one\n"], ["two\r\n", "\n", "\rlast"]]],
    ["readlines:5;readlines:1;readlines:100", [["one\n", "two\r\n"], ["\n"], ["\rlast"]]],
  ]),
  ...table("I06 by decision, iterating gives bytes as they arrive", LINES, [["iter;iter", [LINES, ""]]]),
  ...table("I07 mixed use gives each byte exactly once", LINES, [
    ["read:3;readline;iter", ["one", "\n", "two\r\n\n\rlast"]],
    ["readline:1;read:5;readlines:1;read", ["o", "ne\ntw", ["o\r\n"], "\n\rlast"]],
  ]),
  ...table("I14 an empty body is empty at once", "", [["read;read:5;readline;readlines;iter", ["", "", "", [], ""]]]),
  {
    title: "I14 a request without a body is empty at once, on a connection that stays open",
    check: async (t) => {
      const client = await t.open("/input?ops=read;read:1;readline;iter");
      expect(JSON.parse(textOf(await client.response()))).toEqual(["", "", "", ""]);
      await client.persists();
    },
  },
  {
    title: "I05 readline over every octet, no octet is changed",
    check: async (t) => {
      const text = Buffer.from(OCTETS).toString("latin1");
      expect(await reads(t, "readlines", OCTETS)).toEqual([text.split(/(?<=\n)/)]);
    },
  },
  {
    title: "I05 no octet of a chunked body is changed",
    not: unchunked,
    check: async (t) => {
      const text = Buffer.from(OCTETS).toString("latin1");
      expect(await reads(t, "read", chunked([OCTETS.subarray(0, 7), OCTETS.subarray(7)]), TE)).toEqual([text]);
    },
  },
  {
    title: "I05 by decision, readline without a size gives a longer line in pieces of limitReadline",
    check: async (t) => {
      const body = `${"x".repeat(65536 + 10)}\n${"y".repeat(65535)}\nz`;
      expect(await reads(t, "lengths", body)).toEqual([[65536, 11, 65536, 1]]);
    },
  },
  {
    title: "I02 reads end at CONTENT_LENGTH although the client pipelined more",
    check: async (t) => {
      const client = await t.connect();
      client.reader.expect("POST");
      client.reader.expect("GET");
      await client.send(Buffer.concat([
        requestBytes("POST", t.target("/input?ops=read;read;read:9"), { body: "hello" }),
        requestBytes("GET", "/ok"),
      ]));
      expect(JSON.parse(textOf(await client.response()))).toEqual(["hello", "", ""]);
      expect(textOf(await client.response())).toBe("ok");
    },
  },
  {
    title: "I04 by decision, read(n) is short only at the end: it waits for more",
    not: uploadStream,
    check: async (t) => {
      const client = await t.connect();
      const bytes = requestBytes("POST", t.target("/input?ops=next;gate;read:4;read:4;read:9"), { body: "0123456789" });
      client.reader.expect("POST");
      await client.send(bytes.subarray(0, -9));
      await t.until("the first block", (e) => e.waiting === 1);
      await client.send(bytes.subarray(-9, -6));
      await t.release();
      await t.until("the read", (e) => e.ops === 3);
      await t.fence();
      await client.send(bytes.subarray(-6));
      expect(JSON.parse(textOf(await client.response()))).toEqual([true, "released", "1234", "5678", "9"]);
    },
  },
  {
    title: "I04 a readline waits for its line end over packets",
    not: uploadStream,
    check: async (t) => {
      const client = await t.connect();
      const bytes = requestBytes("POST", t.target("/input?ops=readline;readline"), { body: "ab\r\ncd" });
      client.reader.expect("POST");
      await client.send(bytes.subarray(0, -4));
      await t.until("the read", (e) => e.ops === 1);
      await t.fence();
      expect((await t.record()).ops).toBe(1);
      await client.send(bytes.subarray(-4, -2));
      await t.until("the second read", (e) => e.ops === 2);
      await client.send(bytes.subarray(-2));
      expect(JSON.parse(textOf(await client.response()))).toEqual(["ab\r\n", "cd"]);
    },
  },
  {
    title: "Arrays that reads give belong to the application: later input does not change them",
    not: uploadStream,
    check: async (t) => {
      const client = await t.connect();
      const bytes = requestBytes("POST", t.target("/input?ops=keep:3"), { body: "aaaabbbbcccc" });
      client.reader.expect("POST");
      await client.send(bytes.subarray(0, -8));
      await t.until("the first block", (e) => e.kept === 1);
      await client.send(bytes.subarray(-8, -4));
      await t.until("the second block", (e) => e.kept === 2);
      await client.send(bytes.subarray(-4));
      expect(JSON.parse(textOf(await client.response()))).toEqual([["aaaa", "bbbb", "cccc"]]);
    },
  },
  {
    title: "Overlapping reads: the second rejects with OverlappingReadError, the first goes on",
    not: uploadStream,
    check: async (t) => {
      const client = await t.connect();
      const bytes = requestBytes("POST", t.target("/input?ops=overlap"), { body: "hello" });
      client.reader.expect("POST");
      await client.send(bytes.subarray(0, -3));
      await t.until("the second read", (e) => e.overlap !== undefined);
      await client.send(bytes.subarray(-3));
      expect(JSON.parse(textOf(await client.response()))).toEqual([["hello", "OverlappingReadError"]]);
    },
  },
  ...(["?ops=read", "?ops=read:3;read:9;read:1", "?ops=readline;read", "?ops=iter;read"] as const).map((
    query,
  ): Case => ({
    title: `I08 a body cut off by FIN makes the read throw, it is no clean end: ${query}`,
    not: { "bun-fetch": BUN_FIN, front: CUT },
    check: async (t) => {
      const client = await t.connect();
      client.reader.expect("POST");
      await client.send(
        requestBytes("POST", t.target(`/input${query}`), { headers: [["Content-Length", "10"]], body: "abc" }),
      );
      client.finish();
      const response = await client.response();
      const results = JSON.parse(textOf(response)) as unknown[];
      expect(results.at(-1)).toMatchObject({ isError: true });
      await client.closed();
    },
  })),
  ...([["Content-Length", "10", "abc"], ["Transfer-Encoding", "chunked", "a\r\nabc"], [
    "Transfer-Encoding",
    "chunked",
    "3\r\nabc\r\n",
  ]] as const).map(([name, value, body]): Case => ({
    title: `I08 a body cut off, the application lets the error through: 400 and close, never a 500 (${name} ${
      JSON.stringify(body)
    })`,
    not: { "bun-fetch": BUN_FIN, front: CUT },
    check: async (t) => {
      const client = await t.connect();
      client.reader.expect("POST");
      await client.send(requestBytes("POST", t.target("/slurp"), { headers: [[name, value]], body }));
      await t.until("the application", (e) => e.started === 1);
      client.finish();
      const response = await client.response();
      expect(response.status).toBe(400);
      expect(field(response, "connection")).toBe("close");
      await client.closed();
      expect((await t.record()).error).toBeDefined();
    },
  })),
  ...(["zz\r\n", "3\r\nabcX\r\n", "3\r\nabc\n0\r\n\r\n", "-1\r\n\r\n", "3\r\nabc\r\n0\r\nbad trailer\r\n\r\n"] as const)
    .map((body): Case => ({
      title: `I09 a malformed chunk rejects the read; by decision the client gets 400 and the connection closes: ${
        JSON.stringify(body)
      }`,
      not: { fetch: HOST_BODY, front: WIRE },
      check: async (t) => {
        const client = await t.open("/slurp", { method: "POST", headers: TE, body });
        const response = await client.response();
        expect(response.status).toBe(400);
        expect(field(response, "connection")).toBe("close");
        await client.closed();
        expect((await t.record()).error).toBeDefined();
      },
    })),
  {
    title: "I09 an application may answer a malformed body itself; the connection closes after it",
    not: { fetch: HOST_BODY, front: WIRE },
    check: async (t) => {
      const client = await t.open("/input?ops=read:3;read", {
        method: "POST",
        headers: TE,
        body: "3\r\nabc\r\nzz\r\nGET /ok HTTP/1.1\r\nHost: x\r\n\r\n",
      });
      const response = await client.response();
      expect(JSON.parse(textOf(response))).toMatchObject(["abc", { isError: true }]);
      await client.closed();
      expect(client.reader.finals.length).toBe(1);
    },
  },
  ...([["Content-Length", 200_000], ["Transfer-Encoding", 200_000], ["Content-Length", 10]] as const).map((
    [framing, size],
  ): Case => ({
    title:
      `I10 an unread body of ${size} bytes (${framing}) is drained: the connection persists, nothing of it is a request`,
    not: {
      fetch: HOST_BODY,
      ...(size > 10 ? { nginx: LEFT } : {}),
      ...(framing === "Transfer-Encoding" ? unchunked : {}),
    },
    check: async (t) => {
      const request = "GET /smuggled?key=SMUGGLED HTTP/1.1\r\nHost: x\r\n\r\n";
      const body = latin1(request.repeat(Math.ceil(size / request.length)).slice(0, size));
      const client = await t.connect();
      client.reader.expect("POST");
      client.reader.expect("GET");
      const init = framing === "Content-Length"
        ? { body }
        : { headers: TE, body: chunked([body.subarray(0, 99), body.subarray(99)]) };
      void client.send(Buffer.concat([requestBytes("POST", t.target("/ignore"), init), requestBytes("GET", "/ok")]));
      expect(textOf(await client.response())).toBe("ignored");
      expect(textOf(await client.response())).toBe("ok");
      await client.persists();
    },
  })),
  ...(["Content-Length", "Transfer-Encoding"] as const).map((framing): Case => ({
    title:
      `I10 an unread body of more than 256 KiB (${framing}): full response, then the connection closes, nothing of the body is a request`,
    not: {
      fetch: HOST_BODY,
      front: LEFT,
      ...(framing === "Content-Length"
        ? {}
        : { "deno-tls": "Deno gives a whole body at once, and nothing is left to drain" }),
    },
    check: async (t) => {
      const body = latin1("GET /ok HTTP/1.1\r\nHost: x\r\n\r\n".repeat(40_000));
      const client = await t.connect();
      client.reader.expect("POST");
      const init = framing === "Content-Length" ? { body } : { headers: TE, body: chunked([body]) };
      void client.send(requestBytes("POST", t.target("/ignore"), init));
      const response = await client.response();
      expect(textOf(response)).toBe("ignored");
      // H03: a length that is declared tells at once that the rest will not be drained.
      if (framing === "Content-Length") expect(field(response, "connection")).toBe("close");
      await client.closed();
      expect(client.reader.finals.length).toBe(1);
    },
  })),
  {
    title: "I11 Expect: 100-continue is answered at the first read, not before",
    not: expectOnly,
    check: async (t) => {
      const client = await t.open("/input?ops=gate;read", {
        method: "POST",
        headers: [["Expect", "100-continue"], ["Content-Length", "5"]],
      });
      await t.until("the application", (e) => e.waiting === 1);
      await t.fence();
      expect(client.seen).toBe(0);
      await t.release();
      await client.until("100 Continue", () => client.reader.interims.length === 1);
      expect(client.reader.interims[0]!.raw).toMatch(/^HTTP\/1\.1 100 Continue/);
      await client.send("hello");
      expect(JSON.parse(textOf(await client.response()))).toEqual(["released", "hello"]);
      expect(client.reader.interims.length).toBe(1);
      await client.persists();
    },
  },
  {
    title: "I11 an application that never reads: no 100, the connection closes after the response",
    not: expectOnly,
    check: async (t) => {
      const client = await t.open("/ignore", {
        method: "POST",
        headers: [["Expect", "100-Continue"], ["Content-Length", "5"]],
      });
      const response = await client.response();
      expect([response.status, field(response, "connection")]).toEqual([200, "close"]);
      await client.closed();
      expect(client.reader.interims).toEqual([]);
    },
  },
  {
    title: "I11 no 100 to HTTP/1.0, nor when body bytes are already there, nor for a read of a body that is empty",
    not: expectFirst,
    check: async (t) => {
      for (const init of [{ version: "HTTP/1.0", body: "hello" }, { body: "hello" }, { body: "" }]) {
        const client = await t.open("/input?ops=read", {
          method: "POST",
          headers: [["Expect", "100-continue"]],
          ...init,
        });
        expect(JSON.parse(textOf(await client.response()))).toEqual([init.body]);
        expect(client.reader.interims).toEqual([]);
      }
    },
  },
  {
    title: "I11 no 100 after the final head has been sent",
    not: expectFirst,
    check: async (t) => {
      const client = await t.open("/late", {
        method: "POST",
        headers: [["Expect", "100-continue"], ["Content-Length", "5"]],
      });
      await client.begun("first;");
      await client.send("hello");
      expect(textOf(await client.response())).toBe("first;hello");
      expect(client.reader.interims).toEqual([]);
    },
  },
  {
    title: "I11 another expectation is a 417, and the application is not called",
    not: { fetch: "the host answers Expect", nginx: "nginx ignores Expect" },
    check: async (t) => {
      const client = await t.open("/environ", { headers: [["Expect", "200-maybe"]] });
      expect((await client.response()).status).toBe(417);
      await client.closed();
      expect((await t.record()).calls).toBeUndefined();
    },
  },
  {
    title: "I12 a declared length beyond limitRequestBody is a 413 without a 100, and the application is not called",
    not: { ...expectOnly, fetch: HOST_BODY },
    check: async (t) => {
      const client = await t.open("/slurp", {
        method: "POST",
        headers: [["Expect", "100-continue"], ["Content-Length", "1001"]],
      }, "limited");
      const response = await client.response();
      expect([response.status, field(response, "connection")]).toEqual([413, "close"]);
      await client.closed();
      expect(client.reader.interims).toEqual([]);
      expect((await t.record()).calls).toBeUndefined();
    },
  },
  {
    title: "I12 chunked bodies are counted too: the read rejects, the client gets 413; the limit itself is allowed",
    not: unchunked,
    check: async (t) => {
      const over = await t.open("/slurp", {
        method: "POST",
        headers: TE,
        body: chunked(["x".repeat(600), "x".repeat(401)]),
      }, "limited");
      expect((await over.response()).status).toBe(413);
      const { calls, error } = await t.record();
      // A front end may have taken the body whole, and tell its length: then the application is not called.
      if (t.cell.plan.kind !== "front" || calls !== undefined) expect(error).toBeDefined();
      expect(
        await t.text(
          "/slurp",
          { method: "POST", headers: TE, body: chunked(["x".repeat(600), "x".repeat(400)]) },
          "limited",
        ),
      ).toBe("1000");
      expect(await t.text("/slurp", { method: "POST", body: "x".repeat(1000) }, "limited")).toBe("1000");
    },
  },
  {
    title: "I13 the server survives an application that tries to close the input, and one that leaves a loop early",
    check: async (t) => {
      for (const ops of ["shut", "next"]) {
        const client = await t.open(`/input?ops=${ops}`, { method: "POST", body: "hello" });
        expect((await client.response()).status).toBe(200);
        await client.persists();
      }
    },
  },
  ...(["echo", "store"] as const).map((route): Case => ({
    title: `8 MiB up and 8 MiB down with a slow reader: /${route}`,
    ...(route === "echo" ? { not: BOTH_WAYS } : {}),
    timeout: 60_000,
    check: async (t) => {
      const size = 8 * 1024 * 1024;
      const body = Buffer.alloc(size);
      for (let i = 0; i < size; i++) body[i] = (i * 7 + (i >> 11)) & 255;
      const client = await t.connect();
      client.readSlowly();
      void client.request("POST", t.target(`/${route}`), { body });
      const response = await client.response(55_000);
      expect(response.received).toBe(size);
      expect(createHash("sha256").update(bytesOf(response)).digest("hex")).toBe(
        createHash("sha256").update(body).digest("hex"),
      );
    },
  })),
  {
    title: "X01 wsgi.errors has write, writelines and flush; X02 takes any string",
    check: async (t) => {
      expect(await t.text("/report")).toBe("ok,ok,ok,ok,ok,ok,ok");
      const log = await t.logged(new RegExp(`${t.key} nul`));
      for (const line of ["plain", "one", "two", "\u0442\u0435\u0441\u0442 \u{1F600}"]) {
        expect(log).toContain(`${t.key} ${line}\n`);
      }
      expect(log).toContain(`${t.key} lone `);
    },
  },
];
