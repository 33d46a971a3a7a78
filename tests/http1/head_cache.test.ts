/**
 * What is remembered changes nothing: with a memory that has seen all before, and without one, the same requests reach
 * the application and the same octets are sent.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HeadCache } from "../../core/http1/head_cache.ts";
import { RequestHead } from "../../core/http1/request_head.ts";
import type { Wire } from "../../core/wires.ts";
import { loadCases, type WireCase } from "../wire/driver.ts";
import { noting, remembering, type Seen, Talk } from "./harness.ts";

interface Outcome {
  readonly seen: Seen[];
  readonly sent: string;
  readonly calls: readonly string[];
  readonly log: string;
}

async function outcome(wire: Wire, pieces: readonly string[]): Promise<Outcome> {
  const seen: Seen[] = [];
  const talk = new Talk(noting(seen), {}, wire);
  for (const piece of pieces) talk.receive(piece);
  for (let i = 0; i < 3 + pieces.length; i++) await talk.settled();
  return { seen, sent: talk.sent, calls: talk.transport.calls, log: talk.log };
}

const corpus = await loadCases([
  new URL("../wire/http1.jsonl", import.meta.url),
  new URL("../wire/extended.jsonl", import.meta.url),
]);

describe("the corpus, over and over with one memory", () => {
  const shared = remembering(new HeadCache());
  const raws = corpus.map((wire: WireCase) => (wire as { raw?: string }).raw).filter((raw) => raw !== undefined);

  it("gives what it gives without", async () => {
    expect(raws.length).toBeGreaterThan(1500);
    for (let round = 0; round < 4; round++) {
      for (const raw of raws) {
        const halves = [raw.slice(0, raw.length >> 1), raw.slice(raw.length >> 1)].filter((half) => half !== "");
        const pieces = round === 1 ? halves : [raw];
        expect(await outcome(shared, pieces), JSON.stringify(raw.slice(0, 300))).toEqual(
          await outcome(remembering(), pieces),
        );
      }
    }
  }, 60_000);
});

it("random sequences of requests that share blocks, on several connections", async () => {
  const line = fc.constantFrom(
    "GET / HTTP/1.1",
    "GET /a HTTP/1.0",
    "POST /b?c HTTP/1.1",
    "HEAD / HTTP/1.1",
    "GET http://h/x HTTP/1.1",
    "BAD",
  );
  const field = fc.constantFrom(
    ...[
      "Host: a",
      "Host: b",
      "Content-Length: 3",
      "Content-Length: 0",
      "Transfer-Encoding: chunked",
      "Connection: close",
    ],
    ...[
      "Connection: keep-alive",
      "Expect: 100-continue",
      "X-A: 1",
      "X-A:1",
      "x-a: 1",
      "X_A: 1",
      "X-B: \xff",
      "X-C:",
      "bad name: 1",
    ],
  );
  const block = fc.array(field, { maxLength: 4 }).map((fields) => fields.map((one) => `${one}\r\n`).join(""));
  const request = fc.tuple(line, block, fc.constantFrom("", "abc", "3\r\nabc\r\n0\r\n\r\n"))
    .map(([first, fields, body]) => `${first}\r\n${fields}\r\n${body}`);
  const connections = fc.array(fc.array(request, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(connections, fc.boolean(), async (all, together) => {
      const shared = remembering(new HeadCache());
      for (const requests of [...all, ...all, ...all]) {
        const pieces = together ? [requests.join("")] : requests;
        expect(await outcome(shared, pieces)).toEqual(await outcome(remembering(), pieces));
      }
    }),
    { numRuns: 1000 },
  );
}, 60_000);

it("keeps a bounded number of blocks, none that is part of a long text, and tells HTTP/1.0 from HTTP/1.1", () => {
  const cache = new HeadCache();
  const headOf = (version: string): RequestHead => {
    const head = new RequestHead();
    head.requestLine(`GET / ${version}`);
    return head;
  };
  const [old, now] = [headOf("HTTP/1.0"), headOf("HTTP/1.1")];
  cache.keep("A: 1\r\n", 100, now);
  expect(cache.find("A: 1\r\n", true)).toBeUndefined(); // at its second sight it is
  cache.keep("A: 1\r\n", 100, now);
  expect([cache.find("A: 1\r\n", true), cache.find("A: 1\r\n", false)]).toEqual([now, undefined]);
  expect(cache.find("A: 2\r\n", true)).toBeUndefined();
  for (const _ of [1, 2]) cache.keep("B: 1\r\n", 5000, now);
  expect(cache.find("B: 1\r\n", true)).toBeUndefined();
  const blocks = Array.from({ length: 5000 }, (_, i) => `X-${i}: ${"x".repeat(i % 50)}\r\n`);
  for (const block of blocks) for (const _ of [1, 2]) cache.keep(block, 100, old);
  expect(blocks.filter((block) => cache.find(block, false) !== undefined).length).toBeGreaterThan(30);
  expect(blocks.filter((block) => cache.find(block, false) !== undefined).length).toBeLessThanOrEqual(128);
});
