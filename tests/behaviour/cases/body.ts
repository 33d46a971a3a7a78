/** Section 5 of the gateway rules, first part: forms of application and body, blocks, lengths. @module */

import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { expect } from "vitest";
import { badBlocks, badBodies, block, formNames } from "../apps/body.ts";
import { bytesOf, field, fields, textOf, type WireResponse } from "../response.ts";
import type { Case, Trial } from "../trial.ts";
import { cutOffEarly, cutShort } from "./reasons.ts";

const BUN_SHORT = "Bun.serve resets the connection before the head when a stream fails early";

/** Expected framing: the host of fetch, or a front end, may frame a body that it has whole. */
function framing(t: Trial, response: WireResponse, length: string | undefined): void {
  if (length === undefined && t.cell.plan.kind !== "socket") return;
  expect([response.framing, field(response, "content-length")]).toEqual([
    length === undefined ? "chunked" : "length",
    length,
  ]);
}

function sums(pieces: Iterable<Uint8Array>): string {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest("hex");
}

function* blocks(count: number): Generator<Uint8Array> {
  for (let i = 0; i < count; i++) yield block(i, 65536);
}

const plentySums = new Map<number, string>();

function plenty(count: number): string {
  if (!plentySums.has(count)) plentySums.set(count, sums(blocks(count)));
  return plentySums.get(count)!;
}

/** Blocks in all, and how many of them the system may hold; a front end has sockets of its own, of up to 36 MiB each. */
function amount(t: Trial): [count: number, most: number] {
  return t.cell.plan.kind === "front" ? [1600, 1300] : [1000, 400];
}

/** Asks for the count of pulls until it has stood still for a while: the server has met backpressure, or is done. */
async function plateau(t: Trial): Promise<number> {
  let last = -1;
  for (let still = 0; still < 15;) {
    const pulls = (await t.record()).pulls as number | undefined ?? 0;
    still = pulls === last && pulls > 0 ? still + 1 : 0;
    last = pulls;
    await pause(20);
  }
  return last;
}

/** Cases of the forms and of B01 to B10, B15 to B20. */
export const bodyCases: readonly Case[] = [
  {
    title: "An application may be a class, constructed with (environ, startResponse), iterated, closed once",
    check: async (t) => {
      expect(await t.text("/here", {}, "class")).toBe("class /here");
      expect((await t.until("close()", (e) => e.closed !== undefined)).closed).toBe(1);
    },
  },
  {
    title: "An application may be a class with an async body that waits before startResponse",
    check: async (t) => {
      const client = await t.open("/", {}, "asyncClass");
      await t.until("the body", (e) => e.waiting === 1);
      await t.release();
      expect(textOf(await client.response())).toBe("async class");
    },
  },
  {
    title: "An application may be an object with wsgiApp, called with this bound",
    check: async (t) => {
      expect(await t.text("/here", {}, "object")).toBe("object /here");
      expect((await t.until("close()", (e) => e.closed !== undefined)).closed).toBe(1);
    },
  },
  ...formNames.map((form): Case => ({
    title: `B15, B16 by decision, B22 a body may be: ${form}`,
    check: async (t) => expect(await t.text(`/form?form=${form}`)).toBe("form"),
  })),
  {
    title: "B05 by decision, a bare string, bare bytes and any array get a Content-Length",
    check: async (t) => {
      for (const form of ["string", "bytes", "array", "promiseArray", "promiseString"]) {
        framing(t, await t.ask(`/form?form=${form}`), "4");
      }
    },
  },
  ...Object.keys(badBodies).map((kind): Case => ({
    title: `B15 a body that is none (${kind}) is a 500`,
    check: async (t) => {
      const client = await t.open(`/bad-body?kind=${kind}`);
      expect((await client.response()).status).toBe(500);
      await t.logged(/./);
    },
  })),
  ...Object.keys(badBlocks).map((kind): Case => ({
    title: `B16 a block that is none (${kind}) is a 500; close() once`,
    check: async (t) => {
      expect((await t.ask(`/bad-block?kind=${kind}`)).status).toBe(500);
      expect((await t.until("close()", (e) => e.closed !== undefined)).closed).toBe(1);
    },
  })),
  ...Object.keys(badBlocks).map((kind): Case => ({
    title: `B16 a block that is none (${kind}) after the head is an abort; close() once`,
    not: cutOffEarly,
    check: async (t) => {
      const client = await t.openLast(`/bad-block?kind=${kind}&after=1`);
      await client.until("the end", () => client.over || client.reader.finals[0]?.complete === true);
      const response = client.reader.finals[0];
      // A sync body may fail before its first block has left; both ends are honest, a complete 200 is not.
      // A front end that saw the abort before it had sent anything makes it a 502.
      if (response !== undefined && response.status >= 500) expect(textOf(response)).not.toContain("good");
      else expect(response?.complete ?? false).toBe(false);
      expect((await t.until("close()", (e) => e.closed !== undefined)).closed).toBe(1);
    },
  })),
  {
    title: "B01 empty blocks do not send the head: it can still be replaced",
    check: async (t) => {
      const client = await t.open("/empty-first");
      await t.until("the body", (e) => e.waiting === 1);
      await t.fence();
      expect(client.seen).toBe(0);
      await t.release();
      const response = await client.response();
      expect([response.status, fields(response, "x-old"), textOf(response)]).toEqual([503, [], "replaced"]);
    },
  },
  {
    title: 'B01, B18 by decision, write("") sends the head',
    not: {
      "bun-fetch": "Bun.serve holds the head until the first bytes of a stream",
      "deno-fetch": "Deno.serve may hold the head until the first bytes of a stream",
      "apache-fastcgi": "Apache holds the head until the first bytes of a body",
    },
    check: async (t) => {
      const client = await t.open("/write-empty");
      expect((await client.head()).status).toBe(200);
      await t.release();
      expect(textOf(await client.response())).toBe("after");
    },
  },
  {
    title: "B02 Content-Length: 0 is a complete response",
    check: async (t) => {
      const response = await t.ask("/blocks?length=0");
      expect([field(response, "content-length"), response.received]).toEqual(["0", 0]);
    },
  },
  ...(["/block-then-wait", "/block-then-wait?length=18"] as const).map((path): Case => ({
    title: `B03 each block is on the wire before the next is asked for: ${path}`,
    check: async (t) => {
      const client = await t.open(path);
      await client.begun("first;");
      expect((await t.record()).waiting).toBe(1);
      await t.release("one");
      await client.begun("first;second;");
      await t.release("two");
      expect(textOf(await client.response())).toBe("first;second;third");
    },
  })),
  {
    title: "B03, B18 what write() was given is on the wire while the application waits, and precedes the body",
    check: async (t) => {
      const client = await t.open("/write-then-wait");
      await client.begun("first;");
      await t.release("one");
      expect(textOf(await client.response())).toBe("first;second;third");
    },
  },
  ...(["async", "sync"] as const).map((form): Case => ({
    title: `B04 blocks are not pulled while the client does not read (${form}); then all arrive`,
    timeout: 60_000,
    check: async (t) => {
      const [count, most] = amount(t);
      const client = await t.connect();
      client.pause();
      await client.request("GET", t.target(`/plenty?form=${form}&count=${count}`));
      expect(await plateau(t)).toBeLessThan(most);
      client.resume();
      const response = await client.response(50_000);
      expect(response.received).toBe(count * 65536);
      expect(sums(response.pieces)).toBe(plenty(count));
      const end = await t.until("close()", (e) => e.closed !== undefined);
      expect([end.pulls, end.closed]).toEqual([count, 1]);
    },
  })),
  {
    title: "write() gives a promise above the high-water mark that settles on drain",
    timeout: 60_000,
    check: async (t) => {
      const [count, most] = amount(t);
      const client = await t.connect();
      client.pause();
      await client.request("GET", t.target(`/write-plenty?count=${count}`));
      expect(await plateau(t)).toBeLessThan(most);
      const stalled = await t.record();
      expect(stalled.full).toBeGreaterThan(0);
      client.resume();
      const response = await client.response(50_000);
      expect(sums(response.pieces)).toBe(plenty(count));
      const end = await t.record();
      expect(end.drained).toBe(end.full);
    },
  },
  {
    title: "write() throws WriteError when too much output is unawaited, and the response is cut off",
    not: cutOffEarly,
    timeout: 30_000,
    check: async (t) => {
      const client = await t.connect();
      // A client that keeps up would let any amount through.
      client.pause();
      await client.request("GET", t.target("/write-unawaited"), { headers: t.last });
      const end = await t.until("the error", (e) => e.error !== undefined);
      client.resume();
      await client.until("the end", () => client.over, 20_000);
      expect(client.reader.finals[0]?.complete ?? false).toBe(false);
      expect(end.error).toBe("WriteError");
      expect(end.pulls).toBeLessThan(1024);
    },
  },
  ...([["ab,cd", "4"], ["\u0442\u0435\u0441\u0442", "8"], ["a", "1"], ["a,,b", "2"]] as const).map((
    [blocks, length],
  ): Case => ({
    title: `B05 by decision, an array body has the summed Content-Length ${length}`,
    check: async (t) => {
      const response = await t.ask(`/blocks?form=array&blocks=${encodeURIComponent(blocks)}`);
      framing(t, response, length);
      expect(textOf(response)).toBe(blocks.replaceAll(",", ""));
    },
  })),
  {
    title: "B05 write() used: no automatic length; B18 write() data comes first, in order",
    check: async (t) => {
      const response = await t.ask("/write-and-array");
      framing(t, response, undefined);
      expect(textOf(response)).toBe("abcd");
    },
  },
  {
    title: "B06 an empty array is Content-Length: 0",
    check: async (t) => {
      const response = await t.ask("/blocks?form=array");
      framing(t, response, "0");
      expect(response.received).toBe(0);
    },
  },
  ...(["", "&blocks=", "&blocks=,,"] as const).map((blocks): Case => ({
    title: `B06 a generator that yields nothing is a complete empty response: ${JSON.stringify(blocks)}`,
    check: async (t) => {
      const client = await t.open(`/blocks?x=y${blocks}`);
      const response = await client.response();
      expect([response.status, response.received, response.framing === "close"]).toEqual([200, 0, false]);
      expect((await t.until("close()", (e) => e.closed !== undefined)).closed).toBe(1);
      await client.persists();
    },
  })),
  {
    title: "B07 a generator is chunked in HTTP/1.1, and an empty block is no last chunk",
    not: { "bun-fetch": "Bun.serve gives a stream that ends at once a Content-Length" },
    check: async (t) => {
      const client = await t.open("/blocks?blocks=a,,b,,,c");
      const response = await client.response();
      expect(textOf(response)).toBe("abc");
      framing(t, response, undefined);
      await client.persists();
    },
  },
  ...(["/blocks?blocks=a,,b", "/blocks?blocks=a&form=array"] as const).flatMap((path) =>
    [[path, "keep-alive"], [path, "close"]] as const
  ).map(([path, connection]): Case => ({
    title: `B07, H07 no Transfer-Encoding to HTTP/1.0: ${path}, ${connection}`,
    not: { "bun-fetch": "Bun.serve closes every HTTP/1.0 connection" },
    check: async (t) => {
      const client = await t.open(path, { version: "HTTP/1.0", headers: [["Connection", connection]] });
      const response = await client.response();
      expect(fields(response, "transfer-encoding")).toEqual([]);
      expect(textOf(response)).toBe(path.includes("array") ? "a" : "ab");
      // A front end may know the length of a body that it has whole.
      const length = path.includes("array") || (t.cell.plan.kind === "front" && response.framing === "length");
      if (length && connection === "keep-alive") {
        expect(field(response, "connection")?.toLowerCase()).toBe("keep-alive");
        await client.persists();
      } else {
        await client.closed();
        expect(fields(response, "connection").join().toLowerCase()).not.toContain("keep-alive");
      }
    },
  })),
  {
    title: "B08 the application's Content-Length is kept for HEAD",
    check: async (t) => {
      const client = await t.open("/blocks?length=12345", { method: "HEAD" });
      expect(field(await client.response(), "content-length")).toBe("12345");
      await client.persists();
    },
  },
  ...(["blocks?blocks=a,b,c", "blocks?blocks=a,b&form=array", "blocks?blocks=abc&length=3"] as const).map((
    path,
  ): Case => ({
    title: `B09 HEAD of /${path}: head as GET, no body, close() once, connection reusable`,
    check: async (t) => {
      const get = await t.ask(`/${path}`);
      await t.until("close()", (e) => e.closed === 1);
      const client = await t.open(`/${path}`, { method: "HEAD" });
      const head = await client.response();
      await t.until("close()", (e) => e.closed === 2);
      expect(fields(head, "transfer-encoding")).toEqual(
        t.cell.plan.kind === "socket" ? [] : fields(head, "transfer-encoding"),
      );
      expect([head.status, field(head, "content-type")]).toEqual([get.status, field(get, "content-type")]);
      if (get.framing === "length" && t.cell.plan.kind === "socket") {
        expect(field(head, "content-length")).toBe(field(get, "content-length"));
      }
      await client.persists();
      expect((await t.record()).closed).toBe(2);
    },
  })),
  {
    title: "B09 by decision, HEAD pulls until the first non-empty block, then closes the body, endless ones too",
    check: async (t) => {
      const client = await t.open("/endless", { method: "HEAD" });
      expect((await client.response()).status).toBe(200);
      const end = await t.until("close()", (e) => e.closed !== undefined);
      expect([end.pulls, end.closed]).toEqual([1, 1]);
      await client.persists();
    },
  },
  ...(["204 No Content", "205 Reset Content", "304 Not Modified"] as const).flatMap((status) =>
    ["blocks=a,b", "blocks=a&form=array", "blocks=abc&length=3", "form=array"].map((query) => [status, query] as const)
  ).map(([status, query]): Case => ({
    title: `B10${status.startsWith("205") ? " 14.31" : ""} ${status} has no body and no Transfer-Encoding: ${query}`,
    ...(status.startsWith("205") ? { not: { "deno-fetch": "Deno.serve sends no Content-Length with a 205" } } : {}),
    check: async (t) => {
      const client = await t.open(`/blocks?status=${encodeURIComponent(status)}&${query}`);
      const response = await client.response();
      expect(response.status).toBe(Number(status.slice(0, 3)));
      expect(fields(response, "transfer-encoding")).toEqual([]);
      const given = status.startsWith("304") && query.includes("length") ? ["3"] : [];
      const expected = status.startsWith("205") ? ["0"] : given;
      expect(response.received).toBe(0);
      if (t.cell.plan.kind === "socket" && (!status.startsWith("304") || query.includes("length"))) {
        expect(fields(response, "content-length")).toEqual(expected);
      }
      await client.persists();
      expect((await t.until("close()", (e) => e.closed !== undefined)).closed).toBe(1);
    },
  })),
  ...(["array", "generator"] as const).map((form): Case => ({
    title:
      `B11 surplus over Content-Length (${form}): exactly the length is sent, one log line, the connection persists`,
    check: async (t) => {
      const client = await t.open(`/blocks?blocks=123,456789,abc,def&length=5&form=${form}`);
      expect(textOf(await client.response())).toBe("12345");
      await client.persists();
      const end = await t.until("close()", (e) => e.closed !== undefined);
      expect(end.closed).toBe(1);
      if (form === "generator") expect(end.pulls).toBe(2);
      const log = await t.logged(/content-length/i);
      expect(log.match(/content-length/gi)?.length).toBe(1);
    },
  })),
  {
    title: "B11 iteration of an endless body stops at Content-Length; return() and close() once",
    check: async (t) => {
      const response = await t.ask("/endless?length=25");
      expect(textOf(response)).toBe("0123456789012345678901234");
      const end = await t.until("close()", (e) => e.closed !== undefined);
      expect([end.pulls, end.returned, end.closed]).toEqual([3, 1, 1]);
    },
  },
  {
    title: "B11, B18 write() past Content-Length throws WriteError, the fitting prefix is sent",
    check: async (t) => {
      const client = await t.open("/write-past");
      expect(textOf(await client.response())).toBe("12345");
      const end = await t.until("close()", (e) => e.closed !== undefined);
      expect([(end.writes as string[])[1], end.closed]).toEqual(["WriteError", 1]);
    },
  },
  ...(["blocks=abc", "blocks=abc&form=array", "blocks=", "form=array"] as const).map((query): Case => ({
    title: `B12 fewer bytes than Content-Length are cut off, never padded, and logged: ${query}`,
    not: { ...cutShort, "bun-fetch": BUN_SHORT },
    check: async (t) => {
      const client = await t.openLast(`/blocks?length=10&${query}`);
      const response = await t.truncated(client);
      const given = query.includes("abc") ? "abc" : "";
      // A fetch host drops what it has queued when a stream fails; what arrives is still a prefix.
      if (response !== null) {
        expect(t.cell.plan.kind === "fetch" ? given.slice(0, response.received) : given).toBe(textOf(response));
      }
      expect((await t.until("close()", (e) => e.closed !== undefined)).closed).toBe(1);
      await t.logged(/content-length/i);
    },
  })),
  {
    title: "B17 of a body, only iteration, length and close are touched",
    check: async (t) => {
      expect(await t.text("/touched")).toBe("ab");
      const touched = new Set((await t.record()).touched as string[]);
      for (const name of ["then", "close", "length", "next", "return", "throw"]) touched.delete(name);
      expect([...touched]).toEqual([]);
    },
  },
  {
    title: "B19 no octet of the body is altered",
    check: async (t) => {
      const up = Buffer.from(Uint8Array.from({ length: 256 }, (_, i) => i));
      const body = bytesOf(await t.ask("/octets"));
      expect(body.equals(Buffer.concat([up, Buffer.from("\r\n\n\r\n0\r\n\r\n"), Buffer.from(up).reverse()]))).toBe(
        true,
      );
    },
  },
  ...(["", "&length=8388608"] as const).map((length): Case => ({
    title: `B20 one block of 8 MiB arrives whole with a slow reader${length === "" ? "" : ", with Content-Length"}`,
    timeout: 60_000,
    check: async (t) => {
      const client = await t.connect();
      client.readSlowly();
      await client.request("GET", t.target(`/large?size=8388608${length}`));
      const response = await client.response(50_000);
      expect(response.received).toBe(8388608);
      expect(sums(response.pieces)).toBe(sums([block(0, 8388608)]));
      await client.persists();
    },
  })),
];
