/**
 * Applications that fail, at every point where one can, and use wsgi.errors.
 *
 * The text that is thrown carries the key of the test, so that the log and the (forbidden) response can be searched.
 *
 * @module
 */

import type { Body, StartResponse } from "../../../core/contract/types.ts";
import { bump, counted, type Entry, gate, nameOf, type Table } from "./record.ts";

function start(startResponse: StartResponse, length: string | null): void {
  const headers: [string, string][] = [["Content-Type", "text/html"], ["X-App", "1"]];
  if (length !== null) headers.push(["Content-Length", length]);
  startResponse("200 OK", headers);
}

/** Things that are thrown and are no Error. */
const things: Readonly<Record<string, unknown>> = {
  string: "thrown text",
  null: null,
  undefined,
  number: 5,
  object: { message: "fake" },
};

function boom(entry: Entry): Error {
  return new Error(`boom ${String(entry.key)}`);
}

/** Where `/fail?at=` throws, by name. */
const failures: Readonly<
  Record<string, (startResponse: StartResponse, length: string | null, entry: Entry) => unknown>
> = {
  call: (_s, _l, entry) => {
    throw boom(entry);
  },
  promise: (_s, _l, entry) => Promise.reject(boom(entry)),
  "call-started": (s, l, entry) => {
    start(s, l);
    throw boom(entry);
  },
  "promise-started": async (s, l, entry) => {
    start(s, l);
    await Promise.resolve();
    throw boom(entry);
  },
  iterator: (s, l, entry) => {
    start(s, l);
    return counted({
      [Symbol.iterator]: (): Iterator<string> => {
        throw boom(entry);
      },
    }, entry);
  },
  first: (s, l, entry) => {
    start(s, l);
    return counted(
      // deno-lint-ignore require-yield
      (function* (): Generator<string> {
        throw boom(entry);
      })(),
      entry,
    );
  },
  "first-async": (s, l, entry) => {
    start(s, l);
    return counted(
      // deno-lint-ignore require-yield
      (async function* (): AsyncGenerator<string> {
        await Promise.resolve();
        throw boom(entry);
      })(),
      entry,
    );
  },
  "after-empty": (s, l, entry) => {
    start(s, l);
    return counted(
      (function* () {
        yield "";
        throw boom(entry);
      })(),
      entry,
    );
  },
  second: (s, l, entry) => {
    start(s, l);
    return counted(
      (function* () {
        yield "begun;";
        throw boom(entry);
      })(),
      entry,
    );
  },
  "second-async": (s, l, entry) => {
    start(s, l);
    return counted(
      (async function* () {
        yield "begun;";
        await gate(entry);
        throw boom(entry);
      })(),
      entry,
    );
  },
  write: (s, l, entry) => {
    const headers: [string, string][] = [["Content-Type", "text/plain"]];
    if (l !== null) headers.push(["Content-Length", l]);
    void s("200 OK", headers)("begun;");
    throw boom(entry);
  },
  "start-in-body": (s, _l, entry) =>
    counted(
      (function* () {
        s(`bad ${String(entry.key)}`, []);
        yield "unreachable";
      })(),
      entry,
    ),
  "not-started": (_s, _l, entry) => counted(["x"], entry),
};

/** Names of the failures that must give a clean 500. */
export const cleanFailures: readonly string[] = [
  "call",
  "promise",
  "call-started",
  "promise-started",
  "iterator",
  "first",
  "first-async",
  "after-empty",
  "start-in-body",
];

/** Routes that fail. */
export const errorTable: Table = {
  fail: (_environ, startResponse, query, entry) =>
    failures[query.get("at") ?? "call"]!(startResponse, query.get("length"), entry) as Body,
  "throw-thing": (_environ, _startResponse, query) => {
    throw things[query.get("thing") ?? "string"];
  },
  // B14: close() fails, at once or later.
  "bad-close": (_environ, startResponse, query, entry) => {
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return Object.assign(["complete"], {
      close: (): unknown => {
        bump(entry, "closed");
        if (query.get("async") !== null) return Promise.reject(boom(entry));
        throw boom(entry);
      },
    });
  },
  // A promise that the application leaves alone and that rejects is the application's affair, those of the server are not.
  "ignored-promises": (environ, startResponse) => {
    const write = startResponse("200 OK", [["Content-Type", "text/plain"]]);
    void write("a");
    void environ["wsgi.input"].read();
    void environ["wsgi.input"].read();
    return ["b"];
  },
  // X01, X02.
  report: (environ, startResponse, _query, entry) => {
    const errors = environ["wsgi.errors"];
    const key = String(entry.key);
    const attempts: string[] = [];
    const attempt = (run: () => unknown): void => {
      try {
        run();
        attempts.push("ok");
      } catch (error) {
        attempts.push(nameOf(error));
      }
    };
    attempt(() => errors.write(`${key} plain\n`));
    attempt(() => errors.writelines([`${key} one\n`, `${key} two\n`]));
    attempt(() => errors.flush());
    attempt(() => errors.write(`${key} \u0442\u0435\u0441\u0442 \u{1F600}\n`));
    attempt(() => errors.write(`${key} lone \ud800 surrogate\n`));
    attempt(() => errors.write(`${key} nul \0 and \x1b[31m escape\n`));
    attempt(() => errors.write(""));
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return [attempts.join()];
  },
};
