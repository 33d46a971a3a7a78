/**
 * The target of a wire with one request for each connection, SCGI or uwsgi.
 *
 * @module
 */

import { Refusal } from "../../core/refusal.ts";
import { cgiRequest } from "../../core/wires/cgi/environ.ts";
import { Variables } from "../../core/wires/cgi/variables.ts";
import type { Wire } from "../../core/wires/load.ts";
import { type NaiveHead, naiveVerdict } from "../cgi/naive.ts";
import { digest } from "../cgi/trial.ts";
import { captures } from "./corpus.ts";
import { configOf } from "../http1/harness.ts";
import { Bench, expectEnviron, expectSameOutcome, type Outcome } from "./drive.ts";
import type { Random } from "./random.ts";
import { bytesOf, expectSame, piecesOf, type Target } from "./target.ts";

const { template } = configOf(() => [], () => {});

/** What is different in each of the wires. */
export interface OneRequestProtocol {
  readonly name: string;
  readonly wire: Wire;
  /** Reads a head from all bytes: see `tests/cgi/naive.ts`. */
  readonly naive: (bytes: Uint8Array) => NaiveHead | number | null;
  /** A request of variables with a body of `length` bytes to follow, as latin-1 text. */
  readonly request: (variables: Readonly<Record<string, string>>, length: string) => string;
  readonly words: readonly string[];
  /** Sets the stated length of the variables right. */
  readonly repair: (input: Uint8Array) => Uint8Array;
}

/** The target of a wire. */
export function oneRequestTarget({ name, wire, naive, request, words, repair }: OneRequestProtocol): Target {
  const bench = new Bench(wire, request({}, "0"));
  return {
    longest: 8000,
    repair,
    seeds: () => {
      const many = (length: number): string =>
        // around the limit of 1000, with the variables that `request` adds
        request(Object.fromEntries(Array.from({ length }, (_, i) => [`V${i}`, ""])), "0");
      return [
        ...captures(new RegExp(`-${name}-`)),
        ...[995, 996, 997, 998, 999].map((length) => bytesOf(many(length))),
      ];
    },
    words: [...words, ...CGI_WORDS],
    generate(random) {
      const body = random.oneIn(2) ? "" : random.text(60, "abc\0\r\n\xff");
      const length = random.oneIn(12) ? random.pick(["", "x", "-1", "00", "99999999999999999999"]) : `${body.length}`;
      const variables = cgiVariables(random);
      if (random.oneIn(20)) delete variables.REQUEST_METHOD;
      return bytesOf(request(variables, length) + body);
    },
    async check(input: Uint8Array, random: Random): Promise<void> {
      const whole = await bench.run([input], false);
      const verdict = naiveVerdict(input, naive(input));
      expectSame(verdictOf(whole), verdict, "the request is that of the naive reader");
      expectSameOutcome(await bench.run(piecesOf(input, random), random.oneIn(4)), whole, "splits change nothing");
      if (whole.seen.length > 0) asScript(naive(input) as NaiveHead);
    },
  };
}

/** The same variables as the environment of a CGI script, which no connection has: its environ is one too. */
function asScript({ pairs }: NaiveHead): void {
  const variables = new Variables();
  for (const [name, value] of pairs) variables.add(name, value);
  const rules = { scriptName: "/app", limitRequestBody: Infinity, script: true };
  try {
    expectEnviron(cgiRequest({ ...template }, variables, rules).environ);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
  }
}

function verdictOf({ seen, sent }: Outcome): ReturnType<typeof naiveVerdict> {
  const status = Number(/^(?:Status:|HTTP\/1\.1) ([0-9]{3}) /.exec(sent)?.[1] ?? 0);
  const [one] = seen;
  if (one === undefined) return { status, request: null, body: "" };
  const { REQUEST_METHOD, SCRIPT_NAME, PATH_INFO, QUERY_STRING, CONTENT_LENGTH } = one.environ;
  const request = [REQUEST_METHOD, SCRIPT_NAME, PATH_INFO, QUERY_STRING, CONTENT_LENGTH] as string[];
  const failed = /^[A-Z]\w+Error$/.test(one.body);
  return { status, request, body: failed ? one.body : digest(bytesOf(one.body)) };
}

/** Variables and values that have a meaning. */
const MEANINGS: readonly (readonly [name: string, ...values: string[]])[] = [
  ["REQUEST_METHOD", "GET", "POST", "HEAD", "", "a b"],
  ["SCRIPT_NAME", "", "/", "/app", "app"],
  ["PATH_INFO", "", "/", "/x", "*", "x"],
  ["QUERY_STRING", "", "a=b"],
  ["REQUEST_URI", "/u%41?q", "*", "http://h/", ""],
  ["DOCUMENT_URI", "/doc", ""],
  ["SERVER_PROTOCOL", "HTTP/1.1", "HTTP/2", "INCLUDED", ""],
  ["SERVER_NAME", "h", ""],
  ["SERVER_PORT", "80", "x", ""],
  ["HTTPS", "on", "1", "off", ""],
  ["REQUEST_SCHEME", "https", "http", "ftp"],
  ["UWSGI_SCHEME", "https", "x"],
  ["CONTENT_TYPE", "a/b", ""],
  ["HTTP_CONTENT_LENGTH", "5", "x", ""],
  ["HTTP_TRANSFER_ENCODING", "chunked"],
  ["SCGI", "1", "x"],
  ["HTTP_HOST", "a", "b"],
  ["HTTP_COOKIE", "a=1", " b=2\t"],
  ["HTTP_X_A", "1", "\x80\xff"],
  ["HTTP_x", "1"],
  ["HTTP_PROXY", "x"],
  ["SCRIPT_FILENAME", "proxy:fcgi://h/app", "proxy:x", "/srv/app"],
  ["wsgi.input", "x"],
  ["__proto__", "x"],
  ["constructor", "x"],
  ["", "x"],
];

const CGI_WORDS = MEANINGS.flat();

/** Variables of a request; those that are left out have the defaults of the caller. */
export function cgiVariables(random: Random): Record<string, string> {
  const entries = random.many(0, 8, (): [string, string] => {
    const [name, ...values] = random.pick(MEANINGS);
    return [name, random.oneIn(8) ? random.text(6, "aB/ \t%\0\xe9") : random.pick(values)];
  });
  return Object.fromEntries(entries.filter(([name]) => name !== "" || random.oneIn(10)));
}
