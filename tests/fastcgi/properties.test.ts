/**
 * What holds for every input: how bytes are split changes nothing; what is encoded is decoded into the same.
 */

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodePairs, encodePair } from "../../core/wires/fastcgi/pairs.ts";
import { RecordDecoder, type RecordSink, writeEndRequest, writeHeader } from "../../core/wires/fastcgi/records.ts";
import { RecordWriter } from "../../core/wires/fastcgi/writer.ts";
import { readLatin1 } from "../../core/grammar.ts";
import { RecordingTransport } from "../http1/harness.ts";
import { echo, settle } from "./apps.ts";
import { begin, bytesOf, pairs, record, recordsOf, Talk, type TextRecord, variables } from "./harness.ts";

const LATIN1 = fc.array(fc.nat(255), { maxLength: 300 }).map((octets) => String.fromCharCode(...octets));
const RECORD = fc.record({ type: fc.integer({ min: 1, max: 12 }), id: fc.nat(65535), content: LATIN1 });

/** Keeps records as they are told. */
class Keeping implements RecordSink {
  readonly records: { type: number; id: number; content: string; length: number; ended: boolean }[] = [];
  recordBegins(type: number, id: number, length: number): void {
    this.records.push({ type, id, content: "", length, ended: false });
  }
  recordContent(bytes: Uint8Array, start: number, end: number): void {
    this.#last.content += readLatin1(bytes, start, end);
  }
  recordEnds(): void {
    this.#last.ended = true;
  }
  get #last(): Keeping["records"][number] {
    return this.records.at(-1) as Keeping["records"][number];
  }
}

/** Text cut at places given as fractions. */
function pieces(text: string, cuts: readonly number[]): string[] {
  const at = [...new Set(cuts.map((cut) => Math.floor(cut * text.length)))].sort((a, b) => a - b);
  return [0, ...at].map((start, i) => text.slice(start, at[i] ?? text.length)).filter((piece) => piece !== "");
}

const CUTS = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });

describe("records", () => {
  it("F01 any records with any padding, split anywhere, are the same records", () => {
    fc.assert(fc.property(fc.array(fc.tuple(RECORD, fc.nat(255)), { maxLength: 8 }), CUTS, (list, cuts) => {
      const text = list.map(([{ type, id, content }, padding]) => record(type, id, content, padding)).join("");
      const sink = new Keeping();
      const decoder = new RecordDecoder();
      for (const piece of pieces(text, cuts)) {
        const bytes = bytesOf(piece);
        for (let at = 0; at < bytes.length;) at = decoder.step(bytes, at, bytes.length, sink);
        bytes.fill(0);
      }
      expect(decoder.begun).toBe(false);
      const wanted = list.map(([one]) => ({ ...one, length: one.content.length, ended: true }));
      expect(sink.records).toEqual(wanted);
    }));
  });

  it("F01 what the encoder writes the decoder reads", () => {
    fc.assert(
      fc.property(fc.array(RECORD, { maxLength: 8 }), fc.nat(255), fc.nat(3), (list, appStatus, protocolStatus) => {
        const memory = new Uint8Array(list.reduce((sum, { content }) => sum + 8 + content.length, 16));
        let at = 0;
        for (const { type, id, content } of list) {
          at = writeHeader(memory, at, type, id, content.length);
          memory.set(bytesOf(content), at);
          at += content.length;
        }
        expect(writeEndRequest(memory, at, 513, appStatus, protocolStatus)).toBe(memory.length);
        const sink = new Keeping();
        const decoder = new RecordDecoder();
        for (let i = 0; i < memory.length;) i = decoder.step(memory, i, memory.length, sink);
        const end = String.fromCharCode(0, 0, 0, appStatus, protocolStatus, 0, 0, 0);
        const wanted: TextRecord[] = [...list, { type: 3, id: 513, content: end }];
        expect(sink.records.map(({ type, id, content }) => ({ type, id, content }))).toEqual(wanted);
      }),
    );
  });

  it("F07 what the writer is given comes out as STDOUT, flowing or not", () => {
    const sizes = fc.array(fc.oneof(fc.nat(100), fc.integer({ min: 32_000, max: 33_000 }), fc.nat(100_000)), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(sizes, fc.infiniteStream(fc.boolean()), (lengths, flowing) => {
        const transport = new RecordingTransport();
        const write = transport.write.bind(transport);
        transport.write = (bytes) => write(bytes) && flowing.next().value === true;
        const writer = new RecordWriter(transport);
        let wanted = "";
        for (const [i, length] of lengths.entries()) {
          const text = String.fromCharCode(65 + i).repeat(length);
          wanted += text;
          if (i % 2 === 0) writer.stdout(7, bytesOf(text));
          else if (text !== "") writer.text(6, 7, text);
          if (i === 2) writer.drained();
        }
        writer.end(7, true, 0, 0);
        const records = recordsOf(transport.sent);
        expect(records.filter(({ type }) => type === 6).map(({ content }) => content).join("") === wanted).toBe(true);
        expect(records.filter(({ type, content }) => type === 6 && content === "")).toHaveLength(1);
        expect(records.every(({ id }) => id === 7)).toBe(true);
        expect(writer.written).toBe(transport.sent.length);
      }),
      { numRuns: 50 },
    );
  });
});

describe("pairs", () => {
  const LONG = fc.nat(300).map((length) => "x".repeat(length));

  it("F03 what is encoded is decoded into the same", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.oneof(LATIN1, LONG), fc.oneof(LATIN1, LONG)), { maxLength: 9 }), (list) => {
        const seen: [string, string][] = [];
        const block = list.map(([name, value]) => encodePair(name, value)).join("");
        expect(block).toBe(pairs(list));
        expect(decodePairs(block, { add: (name, value) => seen.push([name, value]) })).toBe(true);
        expect(seen).toEqual(list);
      }),
    );
  });

  it("F03 any bytes: no pair that is not there, no end that is not one", () => {
    fc.assert(fc.property(LATIN1, (block) => {
      let read = 0;
      const whole = decodePairs(block, {
        add: (name, value) => {
          const short = (text: string): number => text.length < 128 ? 1 : 4;
          read += short(name) + short(value) + name.length + value.length;
        },
      });
      expect(read).toBeLessThanOrEqual(block.length);
      if (whole && !/[\x80-\xff]/.test(block)) expect(read).toBe(block.length);
    }));
  });
});

describe("any split of any requests", () => {
  const METHOD = fc.constantFrom("GET", "POST");
  const REQUEST = fc.record({
    method: METHOD,
    body: LATIN1,
    stated: fc.boolean(),
    padding: fc.nat(9),
    keep: fc.boolean(),
  });

  /** Requests with ids of their own, their records shuffled together but each in order. */
  function interleave(lists: string[][], order: readonly number[]): string {
    const waiting = lists.map((list) => [...list]);
    let text = "";
    for (const pick of order) {
      const list = waiting[pick % Math.max(1, waiting.length)];
      text += list?.shift() ?? "";
    }
    return text + waiting.flat().join("");
  }

  /** What became of the requests, whatever the order of the answers. */
  async function outcome(texts: readonly string[]): Promise<unknown> {
    const talk = new Talk(echo);
    for (const text of texts) {
      talk.receive(text);
      await settle();
    }
    await settle();
    const ids = [...new Set(talk.records.map(({ id }) => id))].sort((a, b) => a - b);
    return [ids.map((id) => [id, talk.response(id)]), talk.transport.calls, talk.log];
  }

  it("F01 F11 gives the same responses and the same ending", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(REQUEST, { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(100), { maxLength: 40 }),
        CUTS,
        async (requests, order, cuts) => {
          const lists = requests.map(({ method, body, stated, padding }, index) => {
            const id = index + 1;
            const vars = pairs(
              variables({ REQUEST_METHOD: method, ...(stated ? { CONTENT_LENGTH: `${body.length}` } : {}) }),
            );
            const half = Math.floor(vars.length / 2);
            return [
              begin(id),
              record(4, id, vars.slice(0, half), padding),
              record(4, id, vars.slice(half)),
              record(4, id, "", padding),
              ...(body === "" ? [] : [record(5, id, body, padding)]),
              record(5, id),
            ];
          });
          const text = interleave(lists, order);
          const whole = await outcome([text]);
          expect(await outcome(pieces(text, cuts))).toEqual(whole);
          const bodies = (whole as [[number, { body: string }][]])[0].map(([, { body }]) => body);
          expect(bodies).toEqual(requests.map(({ body }) => body));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("F01 F06 F10 one behind the other, also where the connection ends between", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(REQUEST, { minLength: 1, maxLength: 5 }), CUTS, async (requests, cuts) => {
        const texts = requests.map(({ body, keep, padding }) =>
          begin(1, keep) + record(4, 1, pairs(variables({ CONTENT_LENGTH: `${body.length}` })), padding) +
          record(4, 1) +
          (body === "" ? "" : record(5, 1, body, padding)) + record(5, 1, "", padding)
        );
        const split = texts.flatMap((text) => pieces(text, cuts));
        const whole = await outcome(texts);
        expect(await outcome(split)).toEqual(whole);
        const last = requests.findIndex(({ keep }) => !keep);
        expect((whole as unknown[])[1]).toEqual(last < 0 ? [] : ["end"]);
      }),
      { numRuns: 60 },
    );
  });
});
