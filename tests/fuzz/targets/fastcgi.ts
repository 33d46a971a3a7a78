/**
 * FastCGI: records, pairs and management queries, through the real connection.
 *
 * A web server begins a request with an id only after the one before with that id has ended. So everything that is ready
 * runs at each record, besides the random splits.
 *
 * @module
 */

import { fastcgiConnection } from "../../../core/wires/fastcgi/connection.ts";
import {
  begin,
  get,
  pairs,
  params,
  post,
  record,
  recordsOf,
  stdin,
  stdinEnd,
  variables,
} from "../../fastcgi/harness.ts";
import { comparable, naive, recordOffsets } from "../../fastcgi/naive.ts";
import type { Environ } from "../../../core/contract/types.ts";
import { configOf } from "../../http1/harness.ts";
import { captures } from "../corpus.ts";
import { Bench, type Outcome } from "../drive.ts";
import { cgiVariables } from "../one_request.ts";
import type { Random } from "../random.ts";
import { Broken, bytesOf, expectSame, type Target } from "../target.ts";

const bench = new Bench(fastcgiConnection, get(9));
const { template } = configOf(() => [], () => {});
const ROLES = [1, 1, 1, 1, 2, 3, 0, 257];

/** The target. */
export const fastcgi: Target = {
  longest: 4096,
  seeds: () => {
    const parallel = Array.from({ length: 66 }, (_, i) => begin(i + 1)).join("");
    const query = record(9, 0, pairs({ FCGI_MAX_CONNS: "", FCGI_MAX_REQS: "", FCGI_MPXS_CONNS: "", X: "" }));
    return [...captures(/-fcgi-/), ...[parallel, query, get(1), post(1, "hello")].map(bytesOf)];
  },
  words: [begin(1), begin(2, false), params(1), stdin(1, "x"), stdinEnd(1), record(2, 1), record(4, 1), "\x80\0\0\x01"],
  generate: (random) => bytesOf(connection(random)),
  async check(input: Uint8Array, random: Random): Promise<void> {
    const wanted = naive(input, template);
    const offsets = recordOffsets(input).filter((offset) => offset <= input.length);
    const cuts = [...offsets, ...random.many(0, 4, () => random.below(input.length + 1))];
    const outcome = await bench.run(cutAt(input, cuts), true);
    expectSame(verdictOf(outcome), wanted, "the verdict is that of the naive reader");
    expectAnswers(outcome);
  },
};

function verdictOf({ seen, refused, ending }: Outcome): ReturnType<typeof naive> {
  const accepted = seen.map(({ environ, body }) => ({ environ: comparable(environ as unknown as Environ), body }));
  return { accepted, refused: [...refused], ending };
}

/** What is sent is whole records, apart from the invalid one that marks an incomplete last response. */
function expectAnswers({ sent }: Outcome): void {
  try {
    recordsOf(sent);
  } catch (error) {
    if (!/of version 0 at/.test((error as Error).message)) throw new Broken("answers are records", String(error));
  }
}

function cutAt(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const all = [...new Set([0, ...cuts])].sort((a, b) => a - b);
  return all.map((start, i) => bytes.slice(start, all[i + 1] ?? bytes.length)).filter(({ length }) => length > 0);
}

/** Records of up to four requests, mixed. */
function connection(random: Random): string {
  const streams = random.many(1, 3, () => requestRecords(random));
  let text = "";
  while (streams.length > 0) {
    const at = random.below(streams.length);
    text += streams[at]?.shift() ?? "";
    if (streams[at]?.length === 0) streams.splice(at, 1);
  }
  return text;
}

function requestRecords(random: Random): string[] {
  const id = random.oneIn(10) ? random.pick([0, 256, 65535]) : random.between(1, 4);
  if (random.oneIn(8)) return [record(random.below(13), id, random.text(20, "\0\x01\x08aF\x80\xff"), random.below(9))];
  if (random.oneIn(8)) {
    const names = random.many(0, 3, () => random.pick(["FCGI_MAX_CONNS", "FCGI_MAX_REQS", "FCGI_MPXS_CONNS", "X", ""]));
    return [record(9, 0, pairs(names.map((name) => [name, ""] as const)))];
  }
  const body = random.oneIn(2) ? "" : random.text(60, "abc\0\xff");
  const length = random.oneIn(8) ? random.text(3, "019x") : String(body.length);
  const more = random.oneIn(8) ? { LONG: "x".repeat(random.between(100, 400)) } : {};
  const all = pairs(variables({ CONTENT_LENGTH: length, ...cgiVariables(random), ...more }));
  const cut = random.oneIn(3) ? random.below(all.length) : all.length;
  const parts = [all.slice(0, cut), all.slice(cut)].filter((part) => part !== "");
  const records = [begin(id, !random.oneIn(3), random.pick(ROLES))];
  records.push(...parts.map((part) => record(4, id, part, random.oneIn(3) ? random.below(256) : 0)), record(4, id));
  if (body !== "") records.push(record(5, id, body, random.below(8)));
  if (!random.oneIn(5)) records.push(stdinEnd(id));
  if (random.oneIn(8)) records.splice(random.below(records.length), 0, record(2, id));
  return records;
}
