/**
 * What is remembered changes nothing: with a memory that has seen all before, and without one, the same requests reach
 * the application and the same octets are sent.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HeadModels } from "../../core/wires/http1/head_models.ts";
import { RequestHead } from "../../core/wires/http1/request_head.ts";
import { settings } from "../../core/server/options.ts";
import { Refusal } from "../../core/refusal.ts";
import type { Wire } from "../../core/wires/load.ts";
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
  const shared = remembering(new HeadModels());
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
      "Content-Length: 4",
      "Content-Length: x",
      "Host: a b",
      "Content-Type: t",
      "Expect: 100-continue",
      "X-A: 1",
      "X-A: \x01",
      "X-A: 22222",
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
      const shared = remembering(new HeadModels());
      for (const requests of [...all, ...all, ...all]) {
        const pieces = together ? [requests.join("")] : requests;
        expect(await outcome(shared, pieces)).toEqual(await outcome(remembering(), pieces));
      }
    }),
    { numRuns: 1000 },
  );
}, 60_000);

describe("a head is taken by a model", () => {
  const limits = settings({}, { port: undefined, errorLog: () => {} });
  const text = "GET / HTTP/1.1\r\nHost: a\r\nAccept: x\r\nContent-Length: 5\r\nX-Id: 1\r\n\r\n";
  const variants: readonly (readonly [what: string, text: string, taken: boolean])[] = [
    ["when it is the same", text, true],
    [
      "with other values of fields that steer nothing",
      text.replace("x\r", "yyy \r").replace("1\r\n\r", "\t2\r\n\r"),
      true,
    ],
    ["with another Host", text.replace("Host: a", "Host: b:80"), true],
    ["with another length of its body", text.replace(": 5", ": 12"), true],
    ["and not without a body", text.replace(": 5", ": 0"), false],
    ["and not of another version", text.replace("1.1", "1.0"), false],
    ["and not with another name", text.replace("X-Id", "X-Ib"), false],
    ["and not with a line more", text.replace("X-Id", "A: 1\r\nX-Id"), false],
    ["and not with a line less", text.replace("X-Id: 1\r\n", ""), false],
    ["and not with a bare LF", text.replace("x\r\n", "y\n"), false],
    ["and not before its end is here", text.slice(0, -1), false],
    ["and not with a line above its limit", text.replace("x\r", `${"x".repeat(9000)}\r`), false],
  ];
  const linesOf = (block: string): string[] => block.split(/(?<=\n)/).slice(0, -1);
  const headOf = (request: string): [head: RequestHead, block: string] => {
    const head = new RequestHead();
    const first = request.indexOf("\n") + 1;
    head.requestLine(request, 0, first - 2);
    return [head, request.slice(first)];
  };
  const parsed = (request: string): RequestHead => {
    const [head, block] = headOf(request);
    for (const line of block.split("\r\n").slice(0, -2)) head.fieldLine(line, 0, line.length, limits);
    head.settle(limits);
    return head;
  };

  it.each(variants)("%s", (_what, request, taken) => {
    const models = new HeadModels();
    const [model, block] = headOf(text);
    expect([models.follow(block, 0, model, limits), models.shouldLearn()]).toEqual([0, false]); // at its second sight it is
    expect([models.follow(block, 0, model, limits), models.shouldLearn()]).toEqual([0, true]);
    models.learn(parsed(text), linesOf(block), limits);
    const [head, other] = headOf(request);
    expect(models.follow(other, 0, head, limits)).toBe(taken ? other.length : 0);
    if (taken) expect(Object.assign(head, { distinct: false })).toEqual(parsed(request));
  });

  it.each([
    ["a control in a value", text.replace("x\r", "\x01\r")],
    ["a malformed Host", text.replace("Host: a", "Host: a b")],
    ["a malformed length", text.replace(": 5", ": +5")],
    ["an empty length", text.replace(": 5", ":")],
  ])("and refused for %s", (_what, request) => {
    const models = new HeadModels();
    const [model, block] = headOf(text);
    models.follow(block, 0, model, limits);
    models.learn(parsed(text), linesOf(block), limits);
    const [head, other] = headOf(request);
    expect(() => models.follow(other, 0, head, limits)).toThrow(Refusal);
    expect(() => parsed(request)).toThrow(Refusal);
  });

  it("also with a field that is given twice", () => {
    const twice = text.replace("X-Id: 1", "Accept: y");
    const models = new HeadModels();
    const [model, block] = headOf(twice);
    models.follow(block, 0, model, limits);
    models.learn(parsed(twice), linesOf(block), limits);
    const [head, other] = headOf(twice.replace("y\r", "z\r"));
    expect(models.follow(other, 0, head, limits)).toBe(other.length);
    expect(head.environ({}, "").HTTP_ACCEPT).toBe("x,z");
  });

  it("a head that is too long is looked at again after two more, not each time", () => {
    const models = new HeadModels();
    const [head, block] = headOf(text.replace("x\r", `${"x".repeat(5000)}\r`));
    const looked = Array.from({ length: 300 }, () => {
      models.follow(block, 0, head, limits);
      const learns = models.shouldLearn();
      if (learns) models.learn(head, linesOf(block), limits);
      return learns;
    });
    expect(looked.filter((learns) => learns).length).toBe(100);
  });

  it("unless its block is a long one", () => {
    const models = new HeadModels();
    const [head, block] = headOf(text.replace("x\r", `${"x".repeat(5000)}\r`));
    models.follow(block, 0, head, limits);
    models.learn(head, linesOf(block), limits);
    expect(models.follow(block, 0, head, limits)).toBe(0);
  });
});
