/**
 * Section 5 second part and section 6 of the gateway rules: close(), departures, failures.
 *
 * After nearly every case the server must still serve; the suite checks it after each (X15).
 *
 * @module
 */

import { expect } from "vitest";
import { cleanFailures } from "../apps/errors.ts";
import { field, fields, textOf, type WireResponse } from "../response.ts";
import type { Case, Trial } from "../trial.ts";

const PARSER = "the host's parser refuses, in its own words";
const HALF_CLOSE = "the host decides what FIN from the client means";

/** A generic 500: plain text, framed by length, with nothing of the application in it. */
function cleanError(t: Trial, response: WireResponse): void {
  expect(response.status).toBe(500);
  expect(field(response, "content-type")).toMatch(/^text\/plain/);
  expect(response.framing).toBe("length");
  expect(fields(response, "x-app")).toEqual([]);
  expect(textOf(response)).not.toContain(t.key);
  expect(textOf(response)).not.toMatch(/boom|Error:|\bat |\.ts\b/);
}

async function closedOnce(t: Trial): Promise<void> {
  const entry = await t.until("close()", (e) => e.closed !== undefined);
  await t.fence();
  expect((await t.record()).closed).toBe(1);
  expect(entry.closed).toBe(1);
}

/** Cases of B13, B14, B21, B22, X and of the signal. */
export const endingCases: readonly Case[] = [
  ...(["blocks?blocks=a,b", "blocks?blocks=a,b&form=array", "form?form=array", "blocks?length=3&blocks=abc"] as const).filter((p) => !p.startsWith("form")).map((path): Case => ({
    title: `B13 close() once at the normal end: /${path}`,
    check: async (t) => {
      await t.text(`/${path}`);
      await closedOnce(t);
    },
  })),
  ...cleanFailures.map((at): Case => ({
    title: `X10, X12, B13, B22 throwing before the head is sent (${at}) is a clean 500, logged, and the connection closes`,
    check: async (t) => {
      const client = await t.open(`/fail?at=${at}`);
      const response = await client.response();
      cleanError(t, response);
      if (t.cell.plan.kind === "socket") {
        expect(field(response, "connection")).toBe("close");
        await client.closed();
      }
      const log = await t.logged(new RegExp(`(boom|bad) ${t.key}`));
      // The trace, not only the message.
      expect(log).toMatch(/errors\.ts|start_response|at /);
      if (/iterator|first|empty|body/.test(at)) await closedOnce(t);
      else expect((await t.record()).closed).toBeUndefined();
    },
  })),
  {
    title: "X10 a clean 500 to HTTP/1.0 and to a stored Content-Length",
    check: async (t) => {
      cleanError(t, await t.ask("/fail?at=call-started&length=3"));
      cleanError(t, await t.ask("/fail?at=call", { version: "HTTP/1.0" }));
      const head = await t.ask("/fail?at=call", { method: "HEAD" });
      expect([head.status, head.received]).toEqual([500, 0]);
    },
  },
  ...(["string", "null", "undefined", "number", "object"] as const).map((thing): Case => ({
    title: `X10, B22 throwing ${thing}, which is no Error, is a 500 too`,
    check: async (t) => {
      cleanError(t, await t.ask(`/throw-thing?thing=${thing}`));
      await t.logged(/./);
    },
  })),
  ...(["", "&length=100"] as const).flatMap((length) => ["second-async", "write"].map((at) => [at, length] as const)).map(([at, length]): Case => ({
    title: `X11, X13, B13 throwing after the head is sent (${at}${length}) cuts the response off, with no error text`,
    check: async (t) => {
      const client = await t.open(`/fail?at=${at}${length}`);
      if (at === "second-async") {
        await client.begun("begun;");
        await t.release();
      }
      // Where the host owns the socket, the head may be lost with the rest; a complete response never is right.
      await client.closed();
      const response = client.reader.finals[0];
      if (t.cell.plan.kind === "socket") expect([response?.status, response === undefined ? "" : textOf(response)]).toEqual([200, "begun;"]);
      expect(response?.complete ?? false).toBe(false);
      expect(client.reader.finals.length).toBeLessThan(2);
      expect(response === undefined ? "" : textOf(response)).not.toContain("boom");
      await t.logged(new RegExp(`boom ${t.key}`));
      if (at === "second-async") await closedOnce(t);
    },
  })),
  {
    title: "X11, B13 a sync body that throws after its first block is never a complete 200",
    check: async (t) => {
      const client = await t.open("/fail?at=second");
      await client.until("the end", () => client.over || client.reader.finals[0]?.complete === true);
      const response = client.reader.finals[0];
      if (response?.complete === true) cleanError(t, response);
      await t.logged(new RegExp(`boom ${t.key}`));
      await closedOnce(t);
    },
  },
  ...(["", "?async=1"] as const).map((query): Case => ({
    title: `B14 an error in close() is logged and does not touch the complete response${query}`,
    check: async (t) => {
      const client = await t.open(`/bad-close${query}`);
      const response = await client.response();
      expect([response.status, textOf(response)]).toEqual([200, "complete"]);
      await t.logged(new RegExp(`boom ${t.key}`));
      expect((await t.record()).closed).toBe(1);
      await client.persists();
    },
  })),
  {
    title: "Promises that an application ignores never end the process",
    check: async (t) => {
      expect(await t.text("/ignored-promises", { method: "POST", body: "x" })).toBe("ab");
      await t.fence();
      expect(t.cell.alive).toBe(true);
    },
  },
  ...(["reset", "finish"] as const).flatMap((how) => ["", "?busy=1"].map((query) => [how, query] as const)).map(([how, query]): Case => ({
    title: `B13, B21, B22 ${how === "reset" ? "RST" : "FIN"} while a body streams${query}: the signal fires once, return() and close() once, quietly`,
    ...(how === "finish" ? { not: { fetch: HALF_CLOSE } } : {}),
    check: async (t) => {
      const client = await t.open(`/stream${query}`);
      await client.until("the first block", () => (client.reader.finals[0]?.received ?? 0) >= 1024);
      client[how]();
      const gone = await t.until("the departure", (e) => e.closed !== undefined && e.aborted !== undefined);
      expect([gone.aborted, gone.returned, gone.closed]).toEqual([1, 1, 1]);
      await t.fence();
      const later = await t.record();
      expect([later.pulls, later.aborted, later.closed]).toEqual([gone.pulls, 1, 1]);
      expect(await t.log()).toBe("");
    },
  })),
  {
    title: "The reason of the signal is a ClientDisconnectedError",
    not: { fetch: "the host's signal decides" },
    check: async (t) => {
      const client = await t.open("/stream");
      await client.head();
      client.reset();
      expect((await t.until("the signal", (e) => e.aborted !== undefined)).reason).toBe("ClientDisconnectedError");
    },
  },
  {
    title: "B13 RST before the head: the signal fires, and a body that is returned later is closed once",
    check: async (t) => {
      const client = await t.open("/slow");
      await t.until("the application", (e) => e.waiting === 1);
      client.reset();
      expect((await t.until("the signal", (e) => e.aborted !== undefined)).aborted).toBe(1);
      await t.release();
      await closedOnce(t);
      expect(await t.log()).toBe("");
    },
  },
  {
    title: "B13, B21 RST while the client does not read a large body: close() once",
    timeout: 30_000,
    check: async (t) => {
      const client = await t.connect();
      client.pause();
      await client.request("GET", t.target("/plenty?form=async&count=4000"));
      await t.until("some blocks", (e) => (e.pulls as number) > 8);
      client.reset();
      const end = await t.until("close()", (e) => e.closed !== undefined, 15_000);
      expect(end.pulls).toBeLessThan(4000);
      await closedOnce(t);
    },
  },
  {
    title: "B13 RST while a body is uploaded: the read rejects",
    check: async (t) => {
      const client = await t.open("/slurp", { method: "POST", headers: [["Content-Length", "10"]], body: "abc" });
      await t.until("the application", (e) => e.started === 1);
      client.reset();
      expect((await t.until("the error", (e) => e.error !== undefined)).error).toBeTypeOf("string");
    },
  },
  ...(["HTTP/1.1", "HTTP/1.0"] as const).map((version): Case => ({
    title: `The signal never fires on success, also not when the client leaves afterwards: ${version}`,
    check: async (t) => {
      const client = await t.open("/watched", { version });
      expect(textOf(await client.response())).toBe("watched");
      await t.until("close()", (e) => e.closed === 1);
      client.finish();
      await client.closed();
      const second = await t.open("/watched", { version });
      await second.response();
      second.reset();
      await t.until("close()", (e) => e.closed === 2);
      await t.fence();
      expect((await t.record()).aborted).toBeUndefined();
    },
  })),
  ...(["/slow", "/watched", "/form?form=asyncGenerator"] as const).map((path): Case => ({
    title: `L03 by decision, FIN before the head is a half-close and gets the full response: ${path}`,
    not: { fetch: HALF_CLOSE },
    check: async (t) => {
      const client = await t.open(path);
      client.finish();
      if (path === "/slow") {
        await t.until("the application", (e) => e.waiting === 1);
        await t.fence();
        expect((await t.record()).aborted).toBeUndefined();
        await t.release();
      }
      expect((await client.response()).status).toBe(200);
      await client.closed();
      expect(client.failure).toBeNull();
    },
  })),
  {
    title: "L03 half-close gets 8 MiB in full when they are one block",
    not: { fetch: HALF_CLOSE },
    timeout: 60_000,
    check: async (t) => {
      const client = await t.open("/large?size=8388608");
      client.finish();
      expect((await client.response(50_000)).received).toBe(8388608);
      await client.closed();
    },
  },
  ...([
    ["no Host", "GET /environ?key=KEY HTTP/1.1\r\n\r\n", 400],
    ["a bare LF", "GET /environ?key=KEY HTTP/1.1\nHost: x\r\n\r\n", 400],
    ["a space before the colon", "GET /environ?key=KEY HTTP/1.1\r\nHost : x\r\n\r\n", 400],
    ["two framings", "POST /environ?key=KEY HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
    ["H06 HTTP/0.9", "GET /environ?key=KEY\r\n\r\n", 400],
    ["a long target", `GET /environ?key=KEY&${"x".repeat(70_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 414],
    ["long headers", `GET /environ?key=KEY HTTP/1.1\r\nHost: x\r\n${"X-A: ".padEnd(1000, "b").concat("\r\n").repeat(400)}\r\n`, 431],
    ["another coding", "POST /environ?key=KEY HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501],
    ["CONNECT", "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", 501],
    ["HTTP/2.0", "GET /environ?key=KEY HTTP/2.0\r\nHost: x\r\n\r\n", 505],
  ] as const).map(([what, raw, status]): Case => ({
    title: `X16 ${what} is a ${status} by the server: Connection: close, Content-Length, Date, no call of the application`,
    not: { fetch: PARSER },
    check: async (t) => {
      const client = await t.connect();
      client.reader.expect("GET");
      await client.send(raw.replace("KEY", t.key));
      const response = await client.response();
      expect([response.status, field(response, "connection"), response.framing]).toEqual([status, "close", "length"]);
      expect(field(response, "date")).toBeDefined();
      await client.closed();
      expect((await t.record()).calls).toBeUndefined();
      const log = await t.logged(/./);
      expect(log.trimEnd().split("\n").length).toBe(1);
    },
  })),
];
