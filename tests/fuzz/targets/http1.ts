/**
 * Request heads of HTTP/1.1 with what follows them, through the real connection.
 *
 * The limits are small, so that short inputs reach them.
 *
 * @module
 */

import type { Wire } from "../../../core/wires/load.ts";
import { HeadModels } from "../../../core/wires/http1/head_models.ts";
import { Http1Connection } from "../../../core/wires/http1/connection.ts";
import { Bench, expectSameOutcome, type Outcome, requestPart } from "../drive.ts";
import { HTTP_WORDS, requests } from "../http_grammar.ts";
import { type Limits, naiveHttp1, type NaiveVerdict } from "../naive/http1.ts";
import type { Random } from "../random.ts";
import { bytesOf, expect, expectSame, piecesOf, type Target, textOf } from "../target.ts";
import { wireCases } from "../corpus.ts";

const TIGHT: Limits = {
  limitRequestLine: 200,
  limitRequestFields: 12,
  limitRequestFieldSize: 150,
  limitRequestBody: 3000,
  headerMap: "drop",
};
const ROOMY: Limits = { ...TIGHT, limitRequestLine: 1500, limitRequestFields: 100, limitRequestFieldSize: 2000 };
const LONG = 1500; // bytes: longer inputs have the larger limits

const VALID = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** The benches for some limits: with models of heads, without, and with an application that answers at once. */
class Benches {
  readonly limits: Limits;
  readonly modelled: Bench;
  readonly plain: Bench;
  readonly prompt: Bench;

  constructor(limits: Limits) {
    this.limits = limits;
    const modelled: Wire = (transport, config) => new Http1Connection(transport, config, new HeadModels());
    this.modelled = new Bench(modelled, VALID, limits);
    this.plain = new Bench((transport, config) => new Http1Connection(transport, config), VALID, limits);
    this.prompt = new Bench(modelled, VALID, limits, false);
  }
}

const BENCHES = [TIGHT, { ...TIGHT, headerMap: "refuse" }, { ...TIGHT, headerMap: "dangerous" }]
  .map((limits) => new Benches(limits as Limits));
const LONG_BENCHES = new Benches(ROOMY);

/** The target. */
export const http1: Target = {
  longest: 4096,
  seeds: () => {
    const alike = (lines: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`.repeat(3);
    return [...wireCases(), ...[alike("a: b\r\n".repeat(70)), alike(`a: ${"b".repeat(1100)}\r\n`)].map(bytesOf)];
  },
  words: HTTP_WORDS,
  generate: (random) => bytesOf(requests(random)),
  async check(input: Uint8Array, random: Random): Promise<void> {
    const { limits, modelled, plain, prompt } = input.length > LONG ? LONG_BENCHES : random.pick(BENCHES);
    const verdict = naiveHttp1(textOf(input), limits);
    const whole = await modelled.run([input], false);
    expectAsNaive(whole, verdict);
    const pieces = piecesOf(input, random);
    const bench = random.oneIn(2) ? plain : modelled;
    expectSameOutcome(await bench.run(pieces, random.oneIn(4)), whole, "splits and models change nothing");
    if (verdict.requests.every(({ bodyless }) => bodyless)) expectAsNaive(await prompt.run([input], false), verdict);
  },
};

/** The requests, their bodies and the end are what the naive reader says, and each has its response. */
function expectAsNaive(outcome: Outcome, { requests, refused }: NaiveVerdict): void {
  const wanted = requests.map(({ method, target, path, query, version, fields, body }) => [
    { method, target, path, query, version },
    sorted(fields),
    body,
  ]);
  const got = outcome.seen.map(({ environ, body }) => {
    const { REQUEST_METHOD, REQUEST_URI, PATH_INFO, QUERY_STRING, SERVER_PROTOCOL, ...rest } = requestPart(environ);
    const fields = Object.entries(rest).filter(([key]) => /^(?:HTTP_|CONTENT_)/.test(key));
    const line = { method: REQUEST_METHOD, target: REQUEST_URI, path: PATH_INFO, query: QUERY_STRING };
    return [{ ...line, version: SERVER_PROTOCOL }, sorted(Object.fromEntries(fields)), body];
  });
  expectSame(got, wanted, "the requests are those of the naive reader");
  expectSame(
    outcome.refused.map((status) => status.slice(0, 3)),
    refused === 0 ? [] : [`${refused}`],
    "the refusal is that of the naive reader",
  );
  const statuses = [...outcome.sent.matchAll(/HTTP\/1\.1 ([2-5][0-9]{2}) /g)];
  expect(statuses.length === got.length + outcome.refused.length, "each request has one response", () => outcome.sent);
  const last = requests.at(-1);
  const ends = refused > 0 || (last !== undefined && (!last.keepAlive || /^[A-Z]\w+Error$/.test(last.body)));
  const truncated = last?.body === "TruncatedBodyError"; // shown by FIN only, so the connection was open before
  expect(
    (outcome.ending !== "open") === (ends && !truncated),
    "the connection ends as it should",
    () => outcome.ending,
  );
}

function sorted(fields: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(fields).sort(([a], [b]) => a < b ? -1 : 1);
}
