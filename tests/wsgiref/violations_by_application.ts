/**
 * A table of mistakes of an application, each with the rule that the validator must name.
 *
 * @module
 */

import type { Environ, HeaderList, StartResponse } from "../../mod.ts";
import { client } from "../../testing/mod.ts";
import { validator, WsgiViolation } from "../../wsgiref/validate.ts";
import { type Check, equal, ok, thrownBy } from "./check.ts";

type Misbehaviour = (environ: Environ, start: (...args: unknown[]) => (...chunks: unknown[]) => unknown) => unknown;

/** One deliberate violation. */
export interface Row {
  readonly rule: string;
  readonly what: string;
  readonly strict?: boolean;
}

interface ApplicationRow extends Row {
  readonly app: Misbehaviour;
}

const plain = [["Content-Type", "text/plain"]];
const bytes = new TextEncoder().encode("ok");

/** Calls of startResponse that are refused. */
const calls: readonly (readonly [rule: string, what: string, args: readonly unknown[]])[] = [
  ["R01", "no argument", []],
  ["R01", "one argument", ["200 OK"]],
  ["R01", "four arguments", ["200 OK", plain, null, null]],
  ["R03", "a status that is a number", [200, plain]],
  ["R03", "a status without a reason", ["200", plain]],
  ["R03", "a status without a space", ["200OK", plain]],
  ["R03", "a code that is no number", ["20X OK", plain]],
  ["R03", "an empty status", ["", plain]],
  ["R03", "1xx", ["100 Continue", plain]],
  ["R03", "a code above 599", ["600 High", plain]],
  ["R03", "white space before the code", [" 200 OK", plain]],
  ["R03", "white space behind the reason", ["200 OK ", plain]],
  ["R03", "a header in the reason", ["200 OK\r\nX-Evil: 1", plain]],
  ["R04", "headers null", ["200 OK", null]],
  ["R04", "headers as text", ["200 OK", "Content-Type: text/plain"]],
  ["R04", "headers as an object", ["200 OK", { "Content-Type": "text/plain" }]],
  ["R04", "headers as a Map", ["200 OK", new Map([["Content-Type", "text/plain"]])]],
  ["R04", "a header of three", ["200 OK", [["X-A", "b", "c"]]]],
  ["R04", "a header that is text", ["200 OK", ["X-A: b"]]],
  ["R04", "a value that is a number", ["200 OK", [["Content-Length", 5]]]],
  ["R05", "an empty name", ["200 OK", [["", "b"]]]],
  ["R05", "a colon in a name", ["200 OK", [["X:A", "b"]]]],
  ["R05", "a space in a name", ["200 OK", [["X A", "b"]]]],
  ["R05", "a line end in a name", ["200 OK", [["X\nA", "b"]]]],
  ["R05", "a name that ends in a dash", ["200 OK", [["X-", "b"]]]],
  ["R05", "a name that ends in an underscore", ["200 OK", [["X_", "b"]]]],
  ["R05", "a Status header", ["200 OK", [["Status", "200"]]]],
  ["R06", "a line end in a value", ["200 OK", [["X-A", "b\r\nX-Evil: 1"]]]],
  ["R06", "a NUL in a value", ["200 OK", [["X-A", "b\0"]]]],
  ["R06", "a value beyond latin-1", ["200 OK", [["X-A", "\u0442"]]]],
  ["R06", "a name beyond latin-1", ["200 OK", [["X-\u0442", "a"]]]],
  ["R06", "a status beyond latin-1", ["200 \u0442", plain]],
  ["R07", "Connection", ["200 OK", [["Connection", "close"]]]],
  ["R07", "transfer-encoding", ["200 OK", [["transfer-encoding", "chunked"]]]],
  ["R07", "KEEP-ALIVE", ["200 OK", [["KEEP-ALIVE", "timeout=5"]]]],
  ["R07", "TE", ["200 OK", [["TE", "trailers"]]]],
  ["R07", "Upgrade", ["200 OK", [["Upgrade", "h2c"]]]],
  ["R18", "two Content-Length", ["200 OK", [["Content-Length", "2"], ["content-length", "2"]]]],
  ["R18", "a negative Content-Length", ["200 OK", [["Content-Length", "-1"]]]],
  ["R18", "a Content-Length in words", ["200 OK", [["Content-Length", "two"]]]],
];

const strictCalls: typeof calls = [
  ["R03-strict", "an empty reason", ["200 ", plain]],
  ["R05-strict", "a name that begins with a digit", ["200 OK", [["1X", "b"], ...plain]]],
  ["R06-strict", "a tab in a value", ["200 OK", [["X-A", "a\tb"], ...plain]]],
  ["R16", "excInfo that is text", ["200 OK", plain, "text"]],
  ["B10", "no Content-Type", ["200 OK", []]],
  ["B10", "a Content-Type for 204", ["204 No Content", plain]],
  ["B10", "a Content-Type for 304", ["304 Not Modified", plain]],
  ["B10", "14.31 a Content-Type for 205", ["205 Reset Content", plain]],
];

function called(rows: typeof calls, strict: boolean): ApplicationRow[] {
  return rows.map(([rule, what, args]) => ({
    rule,
    what,
    strict,
    app: (_environ, start) => {
      start(...args);
      return [bytes];
    },
  }));
}

/** Bodies that are refused after a good call. */
const bodies: readonly (readonly [rule: string, what: string, body: () => unknown])[] = [
  ["B15", "null", () => null],
  ["B15", "undefined", () => undefined],
  ["B15", "false", () => false],
  ["B15", "a number", () => 42],
  ["B15", "an object that is no iterable", () => ({})],
  ["B15", "a function", () => () => ["x"]],
  ["B15", "a promise of null", () => Promise.resolve(null)],
  ["B15", "an iterator that gives no steps", () => ({ [Symbol.iterator]: () => ({ next: () => 7 }) })],
  ["B16", "null in an array", () => [bytes, null]],
  ["B16", "a number in an array", () => [5]],
  ["B16", "an ArrayBuffer", () => [new ArrayBuffer(2)]],
  ["B16", "an array in a generator", () =>
    (function* () {
      yield [bytes];
    })()],
  ["B16", "undefined from an async generator", () =>
    (async function* () {
      yield bytes;
      yield undefined;
    })()],
];

const strictBodies: typeof bodies = [
  ["B15-strict", "a bare string", () => "text"],
  ["B15-strict", "bare bytes", () => bytes],
  ["B16-strict", "a string in an array", () => ["text"]],
  ["B16-strict", "a string from a generator", () =>
    (function* () {
      yield bytes;
      yield "text";
    })()],
];

function returned(rows: typeof bodies, strict: boolean): ApplicationRow[] {
  return rows.map(([rule, what, body]) => ({
    rule,
    what: `a body: ${what}`,
    strict,
    app: (_environ, start) => {
      start("200 OK", plain);
      return body();
    },
  }));
}

const withLength = (length: number): string[][] => [...plain, ["Content-Length", String(length)]];

/** Everything else. */
const others: readonly ApplicationRow[] = [
  {
    rule: "R08",
    what: "a second call without excInfo",
    app: (_environ, start) => {
      start("200 OK", plain);
      start("201 Created", plain, null);
      return [bytes];
    },
  },
  {
    rule: "R08",
    what: "a second call after one that threw",
    app: (_environ, start) => {
      try {
        start("bad", plain);
      } catch {
        // That is the point.
      }
      start("200 OK", plain);
      return [bytes];
    },
  },
  { rule: "R15", what: "an array, and startResponse was never called", app: () => [bytes] },
  { rule: "R15", what: "a bare body, and startResponse was never called", app: () => "text" },
  {
    rule: "R15",
    what: "a block, and startResponse was never called",
    app: () =>
      (function* () {
        yield bytes;
      })(),
  },
  {
    rule: "R15",
    what: "an empty async body, and startResponse was never called",
    app: () => (async function* () {})(),
  },
  {
    rule: "R15",
    what: "a body after a call that threw",
    app: (_environ, start) => {
      start("200 OK", plain);
      try {
        start("bad", plain, new Error("replaces"));
      } catch {
        // That is the point.
      }
      return [bytes];
    },
  },
  ...([[], [bytes, bytes], [5], [null], [[bytes]]] as const).map((chunks): ApplicationRow => ({
    rule: "B18",
    what: `write(${chunks.map((chunk) => Object.prototype.toString.call(chunk)).join()})`,
    app: (_environ, start) => {
      start("200 OK", plain)(...chunks);
      return [];
    },
  })),
  ...([["read", ["5"]], ["read", [1.5]], ["read", [1, 2]], ["readline", [{}]], ["readlines", [NaN]]] as const).map((
    [method, args],
  ): ApplicationRow => ({
    rule: "I03",
    what: `${method}(${args.map(String).join()})`,
    app: async (environ) => {
      await (environ["wsgi.input"][method] as (...args: unknown[]) => Promise<unknown>)(...args);
    },
  })),
  ...(["wsgi.input", "wsgi.errors"] as const).map((key): ApplicationRow => ({
    rule: "I13",
    what: `${key}.close()`,
    app: (environ) => (environ[key] as unknown as { close(): void }).close(),
  })),
  ...([["write", 5], ["write", bytes], ["writelines", [5]], ["writelines", null]] as const).map((
    [method, argument],
  ): ApplicationRow => ({
    rule: "X02",
    what: `wsgi.errors.${method}(${Object.prototype.toString.call(argument)})`,
    app: (environ) => (environ["wsgi.errors"][method] as (argument: unknown) => void)(argument),
  })),
  {
    rule: "X02",
    what: "wsgi.errors.write(a, b)",
    app: (environ) => (environ["wsgi.errors"].write as (...texts: string[]) => void)("a", "b"),
  },
  {
    rule: "T04",
    what: "earlyHints of text",
    app: (environ) => environ["tsgi.request"].earlyHints("Link: x" as unknown as HeaderList),
  },
  {
    rule: "R07",
    what: "earlyHints with Connection",
    app: (environ) => environ["tsgi.request"].earlyHints([["Connection", "close"]]),
  },
  { rule: "M07", what: "read() without a size", strict: true, app: (environ) => environ["wsgi.input"].read() },
  {
    rule: "T01-strict",
    what: "two reads at a time",
    strict: true,
    app: (environ) => Promise.all([environ["wsgi.input"].read(1), environ["wsgi.input"].read(1)]),
  },
  {
    rule: "B18-strict",
    what: "write of text",
    strict: true,
    app: (_environ, start) => {
      start("200 OK", plain)("text");
      return [];
    },
  },
  {
    rule: "T02-strict",
    what: "a promise of write() that is not awaited",
    strict: true,
    app: (_environ, start) => {
      const write = start("200 OK", plain);
      void write(new Uint8Array(1 << 17));
      void write(bytes);
      return [];
    },
  },
  {
    rule: "B11-strict",
    what: "an array that is longer than its Content-Length",
    strict: true,
    app: (_environ, start) => {
      start("200 OK", withLength(1));
      return [bytes];
    },
  },
  {
    rule: "B11-strict",
    what: "a generator that is longer than its Content-Length",
    strict: true,
    app: (_environ, start) => {
      start("200 OK", withLength(3));
      return (function* () {
        yield bytes;
        yield bytes;
      })();
    },
  },
  {
    rule: "B12-strict",
    what: "an array that is shorter than its Content-Length",
    strict: true,
    app: (_environ, start) => {
      start("200 OK", withLength(3));
      return [bytes];
    },
  },
  {
    rule: "B12-strict",
    what: "an async generator that is shorter than its Content-Length",
    strict: true,
    app: (_environ, start) => {
      start("200 OK", withLength(3));
      return (async function* () {
        yield bytes;
      })();
    },
  },
];

/** All of them. */
export const applicationRows: readonly ApplicationRow[] = [
  ...called(calls, false),
  ...called(strictCalls, true),
  ...returned(bodies, false),
  ...returned(strictBodies, true),
  ...others,
];

/** Fails unless `error` is a violation of a rule, and quotes it. */
export function isViolation(error: unknown, rule: string, bound: string): void {
  if (!(error instanceof WsgiViolation)) throw new Error(`Expected a WsgiViolation of ${rule}`, { cause: error });
  equal([error.rule.id, error.rule.bound, error.name], [rule, bound, "WsgiViolation"], error.message);
  ok(error.message.startsWith(`${rule}, broken by the ${bound}: `), error.message);
  ok(error.message.includes(error.rule.text), error.message);
}

/** Makes a check for each row. */
export const applicationChecks: readonly Check[] = applicationRows.map(({ rule, what, strict = false, app }) => ({
  name: `${rule} is broken by an application${strict ? ", strictly" : ""}: ${what}`,
  run: async () => {
    const start = app as unknown as (environ: Environ, startResponse: StartResponse) => string[];
    const visitor = client(validator(start, { strict }), { raise: true });
    const error = await thrownBy(async () => (await visitor.post("/", { body: "a body" })).bytes());
    isViolation(error, rule, "application");
  },
}));
