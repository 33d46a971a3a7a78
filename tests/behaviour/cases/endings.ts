/**
 * Section 5 second part and section 6 of the gateway rules: close() and failures. Departures: departures.ts.
 *
 * After nearly every case the server must still serve; the suite checks it after each (X15).
 *
 * @module
 */

import { expect } from "vitest";
import { cleanFailures } from "../apps/errors.ts";
import { field, fields, textOf, type WireResponse } from "../response.ts";
import { closedOnce } from "./departures.ts";
import type { Case, Trial } from "../trial.ts";
import { cutOff, cutOffEarly, cutShort, WIRE } from "./reasons.ts";

const PARSER = "the host's parser refuses, in its own words";

/** Checks a generic 500: plain text with a length, and no text of the application. */
function cleanError(t: Trial, response: WireResponse): void {
  expect(response.status).toBe(500);
  expect(field(response, "content-type")).toMatch(/^text\/plain/);
  expect(response.framing).toBe("length");
  expect(fields(response, "x-app")).toEqual([]);
  expect(textOf(response)).not.toContain(t.key);
  expect(textOf(response)).not.toMatch(/boom|Error:|\bat |\.ts\b/);
}

/** Whether a front end sent its own error: it noticed our cut before it had sent any of the response. */
function refused(t: Trial, response: WireResponse | undefined): boolean {
  return t.cell.plan.kind === "front" && response !== undefined && response.status >= 500 &&
    !/begun|boom/.test(textOf(response));
}

/** Cases of B13, B14, B22 and X. */
export const endingCases: readonly Case[] = [
  ...([
    "blocks?blocks=a,b",
    "blocks?blocks=a,b&form=array",
    "blocks?length=3&blocks=abc",
    "blocks?length=3&blocks=abc&form=array",
  ] as const).map((path): Case => ({
    title: `B13 close() once at the normal end: /${path}`,
    check: async (t) => {
      await t.text(`/${path}`);
      await closedOnce(t);
    },
  })),
  ...cleanFailures.map((at): Case => ({
    title:
      `X10, X12, B13, B22 throwing before the head is sent (${at}) is a clean 500, logged, and the connection closes`,
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
  ...(["", "&length=100"] as const).flatMap((length) => ["second-async", "write"].map((at) => [at, length] as const))
    .map(([at, length]): Case => ({
      title: `X11, X13, B13 throwing after the head is sent (${at}${length}) cuts the response off, with no error text`,
      not: length !== "" ? cutShort : at === "write" ? cutOffEarly : cutOff,
      check: async (t) => {
        const client = await t.openLast(`/fail?at=${at}${length}`);
        if (at === "second-async") {
          await client.begun("begun;");
          await t.release();
        }
        // Where the host owns the socket, the head may be lost with the rest; a complete response never is right.
        await client.until("the end", () => client.over || client.reader.finals[0]?.complete === true);
        const response = client.reader.finals[0];
        if (t.cell.plan.kind === "socket") {
          expect([response?.status, response === undefined ? "" : textOf(response)]).toEqual([200, "begun;"]);
        }
        if (!refused(t, response)) expect(response?.complete ?? false).toBe(false);
        expect(client.reader.finals.length).toBeLessThan(2);
        expect(response === undefined ? "" : textOf(response)).not.toContain("boom");
        await t.logged(new RegExp(`boom ${t.key}`));
        if (at === "second-async") await closedOnce(t);
      },
    })),
  {
    title:
      "X11 a body that only the end of the connection ends (HTTP/1.0) fails with a reset: FIN would look like success",
    not: {
      fetch: "the host owns the socket",
      front: "the front end owns the client's socket",
      deno: "Deno.TcpConn can send no reset: no SO_LINGER, close() is FIN",
    },
    check: async (t) => {
      const client = await t.open("/fail?at=second-async", { version: "HTTP/1.0" });
      await client.begun("begun;");
      await t.release();
      await client.closed();
      expect(client.reader.finals[0]?.framing).toBe("close");
      expect(client.failure?.message ?? "FIN").toContain("ECONNRESET");
    },
  },
  {
    title: "X11, B13 a sync body that throws after its first block is never a complete 200",
    not: cutOffEarly,
    check: async (t) => {
      const client = await t.openLast("/fail?at=second");
      await client.until("the end", () => client.over || client.reader.finals[0]?.complete === true);
      const response = client.reader.finals[0];
      if (response?.complete === true && !refused(t, response)) cleanError(t, response);
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
  ...([
    ["no Host", "GET /environ?key=KEY HTTP/1.1\r\n\r\n", 400],
    ["a bare LF", "GET /environ?key=KEY HTTP/1.1\nHost: x\r\n\r\n", 400],
    ["a space before the colon", "GET /environ?key=KEY HTTP/1.1\r\nHost : x\r\n\r\n", 400],
    [
      "two framings",
      "POST /environ?key=KEY HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
    ["H06 HTTP/0.9", "GET /environ?key=KEY\r\n\r\n", 400],
    ["a long target", `GET /environ?key=KEY&${"x".repeat(70_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 414],
    [
      "long headers",
      `GET /environ?key=KEY HTTP/1.1\r\nHost: x\r\n${"X-A: ".padEnd(1000, "b").concat("\r\n").repeat(400)}\r\n`,
      431,
    ],
    [
      "another coding",
      "POST /environ?key=KEY HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      501,
    ],
    ["CONNECT", "CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", 501],
    ["HTTP/2.0", "GET /environ?key=KEY HTTP/2.0\r\nHost: x\r\n\r\n", 505],
  ] as const).map(([what, raw, status]): Case => ({
    title:
      `X16 ${what} is a ${status} by the server: Connection: close, Content-Length, Date, no call of the application`,
    not: { fetch: PARSER, front: WIRE },
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
