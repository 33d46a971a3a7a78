/**
 * The decoder of chunked bodies by itself, with the default limits for lines, which longer inputs reach.
 *
 * @module
 */

import { RequestBody } from "../../../core/contract/request_body.ts";
import { readLatin1 } from "../../../core/grammar.ts";
import { ChunkedDecoder } from "../../../core/wires/http1/chunked_decoder.ts";
import { chunks, HTTP_WORDS } from "../http_grammar.ts";
import { chunkedBody } from "../naive/http1.ts";
import type { Random } from "../random.ts";
import { wireCases } from "../corpus.ts";
import { bytesOf, expect, expectSame, piecesOf, type Target, textOf } from "../target.ts";

const LIMITS = {
  limitRequestLine: 200,
  limitRequestFields: 10,
  limitRequestFieldSize: 100,
  limitRequestBody: 5000,
  headerMap: "drop",
} as const;
const FIELDS = 3;
const HEAD_END = "\r\n\r\n";

/** The target. */
export const chunked: Target = {
  longest: 40000,
  seeds: () => {
    const bodies = wireCases().map(textOf).filter((text) => /chunked/i.test(text) && text.includes(HEAD_END));
    const long = `1;a=${"x".repeat(16381)}\r\na\r\n0\r\n\r\n`;
    const cut = bodies.map((text) => text.slice(text.indexOf(HEAD_END) + HEAD_END.length));
    const trailers = `0\r\n${"a: b\r\n".repeat(9)}\r\n`;
    return [...cut, trailers, long, long.replace("\r\n0", "\r\n0;b"), "0".repeat(17000), "ffffffffffffff\r\n"].map(
      bytesOf,
    );
  },
  words: HTTP_WORDS,
  generate(random: Random): Uint8Array {
    const body = random.text(random.oneIn(20) ? 6000 : 60, "abc\r\n0;\x80");
    return bytesOf(chunks(body, random) + (random.oneIn(4) ? random.text(5, "GET /0\r\n") : ""));
  },
  check(input: Uint8Array, random: Random): void {
    const whole = decode([input]);
    const { text, end } = chunkedBody(textOf(input), 0, FIELDS, LIMITS);
    const failed = /^[A-Z]\w+Error$/.test(text);
    const wanted = text === "TruncatedBodyError"
      ? ["more", null, input.length]
      : failed
      ? [text, null, null]
      : ["done", text, end];
    expectSame(whole, wanted, "the body is that of the naive reader");
    expectSame(decode(piecesOf(input, random)), whole, "splits change nothing");
  },
};

/** The outcome, the body, and the number of bytes that belong to it. */
function decode(pieces: readonly Uint8Array[]): [outcome: string, body: string | null, used: number | null] {
  let body = "";
  let used = 0;
  const sink = {
    push: (bytes: Uint8Array, start: number, end: number) => void (body += readLatin1(bytes, start, end)),
  };
  const decoder = new ChunkedDecoder({ ...LIMITS, latin1: readLatin1 }, FIELDS);
  for (const piece of pieces) {
    const lent = piece.slice();
    let at: number;
    try {
      at = decoder.decode(lent, 0, lent.length, sink as unknown as RequestBody);
    } catch (error) {
      const { name } = error as Error;
      expect(
        /^(?:MalformedBody|BodyTooLarge|TrailersTooLarge)Error$/.test(name),
        "only named errors",
        () => `${error}`,
      );
      return [name, null, null];
    }
    lent.fill(0x3f);
    used += at;
    expect(body.length <= LIMITS.limitRequestBody, "the limit holds", () => body.length);
    if (decoder.expected === 0) return ["done", body, used];
    expect(at === lent.length, "every byte is used until the end", () => [at, lent.length]);
  }
  return ["more", null, used];
}
