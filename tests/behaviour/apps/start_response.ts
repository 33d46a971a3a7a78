/**
 * Applications that call startResponse rightly and wrongly, and the table of wrong calls.
 *
 * `/refused?row=N` makes the call of row N of `refusedCalls` and reports what became of it through a second call
 * with excInfo, which is the only one that may follow. `/taken?row=N` does the same with `takenCalls`.
 *
 * @module
 */

import type { HeaderList, StartResponse } from "../../../core/contract/types.ts";
import { bump, gate, nameOf, note, type Table } from "./record.ts";

/** Arguments of one startResponse call, with the rule that judges it. */
export interface Call {
  readonly rule: string;
  readonly status: unknown;
  readonly headers: unknown;
}

const controls = Array.from({ length: 32 }, (_, code) => String.fromCharCode(code));
const statuses = (rule: string, ...list: unknown[]): Call[] => list.map((status) => ({ rule, status, headers: [] }));
const headers = (rule: string, ...list: unknown[]): Call[] =>
  list.map((given) => ({ rule, status: "200 OK", headers: given }));

/** Calls that must throw. */
export const refusedCalls: readonly Call[] = [
  ...statuses(
    "R03",
    "",
    "200",
    "20X OK",
    "200OK",
    "20 OK",
    "2000 OK",
    "099 Low",
    "000 Zero",
    "600 High",
    "999 High",
    "-20 OK",
  ),
  ...statuses(
    "R03",
    " 200 OK",
    "200 OK ",
    "200  OK",
    "200\tOK",
    "200 OK\t",
    "200 O\rK",
    "200 O\nK",
    "200 OK\r\nX: y",
    "200 O\0K",
    "200 O\x7fK",
  ),
  ...statuses("R03 by decision, 1xx is refused", "100 Continue", "101 Switching Protocols", "103 Early Hints"),
  ...statuses("R03", 200, null, undefined, ["200 OK"], new String("200 OK")),
  ...statuses("R06", "200 \u0422", "200 \u0100", "\u0662\u0660\u0660 OK"),
  ...headers("R04", null, undefined, "X: y", { "X-A": "b" }, new Map([["X-A", "b"]]), 7),
  ...headers(
    "R04",
    [["X-A"]],
    [["X-A", "b", "c"]],
    [[]],
    ["X-A: b"],
    [{ 0: "X-A", 1: "b", length: 2 }],
    [["X-A", 1]],
    [[1, "b"]],
    [["X-A", null]],
    [null],
  ),
  ...headers("R05", [["", "b"]], [["X A", "b"]], [["X:A", "b"]], [[" X", "b"]], [["X ", "b"]], [["X\u00e9", "b"]], [[
    "X(",
    "b",
  ]], [["X\x7f", "b"]]),
  ...headers("R05 by decision, names ending in - or _, and Status", [["X-", "b"]], [["X_", "b"]], [["Status", "200"]], [
    ["status", "200"],
  ]),
  ...headers("R05", ...controls.map((c) => [[`X${c}A`, "b"]])),
  ...headers("R06", ...controls.filter((c) => c !== "\t").map((c) => [["X-A", `b${c}c`]]), [["X-A", "b\x7fc"]], [[
    "X-A",
    "b\r\nX-B: c",
  ]]),
  ...headers("R06", [["X-A", "\u0100"]], [["X-A", "\u{1F600}"]], [["X-\u0100", "b"]]),
  ...headers(
    "R07",
    ...[
      "Connection",
      "Keep-Alive",
      "Proxy-Authenticate",
      "Proxy-Authorization",
      "TE",
      "Trailers",
      "Transfer-Encoding",
      "Upgrade",
    ]
      .flatMap((name) => [name, name.toLowerCase(), name.toUpperCase()]).map((name) => [[name, "x"]]),
  ),
  ...headers("R18", [["Content-Length", "5"], ["Content-Length", "5"]], [["Content-Length", "5"], [
    "content-length",
    "6",
  ]]),
  ...headers(
    "R18",
    ...["five", "-1", "+5", "5 ", "0x5", "5.0", "", "5, 5", "1e1"].map((value) => [["Content-Length", value]]),
  ),
];

/** Calls that must be taken: the response has this status line and these fields. */
export const takenCalls: readonly Call[] = [
  ...statuses("R03", "200 OK", "299 Odd", "404 Not Found", "599 Last", "200 a b  c", "200 \u00e9t\u00e9"),
  ...statuses("R03 by decision, an empty reason", "200 "),
  ...headers("R05", [["x!#$%&'*+.^`|~9_A", "b"]], [["X-_-A", "b"]], [["X-Status", "b"]]),
  ...headers("R06", [["X-A", "a\tb"]], [["X-A", "\u00e9\u00ff\u0080"]], [["X-A", ""]]),
  ...headers(
    "R07",
    ...["Via", "Cache-Control", "Pragma", "Accept"].map((name) => [[name, "x"]]),
  ),
  ...headers("R07 Warning", [["Warning", "x"]]),
  ...headers("R07 Trailer", [["Trailer", "x"]]),
  ...headers("R07 Date", [["Date", "x"]]),
];

function call(startResponse: StartResponse, { status, headers }: Call, excInfo?: unknown): unknown {
  return excInfo === undefined
    ? startResponse(status as string, headers as HeaderList)
    : startResponse(status as string, headers as HeaderList, excInfo);
}

function attempt(run: () => unknown): string {
  try {
    run();
    return "no error";
  } catch (error) {
    return error instanceof Error ? "error" : "not an Error";
  }
}

/** excInfo values that count as present although they are no errors. */
export const thrownThings: readonly unknown[] = [0, "", false, "text", { any: "object" }];

const plain: [string, string][] = [["Content-Type", "text/plain"]];

/** Routes that misuse startResponse. */
export const startResponseTable: Table = {
  refused: (_environ, startResponse, query) => {
    const outcome = attempt(() => call(startResponse, refusedCalls[Number(query.get("row"))]!));
    startResponse("200 OK", plain, new Error("replaces"));
    return [outcome];
  },
  taken: (_environ, startResponse, query) => {
    call(startResponse, takenCalls[Number(query.get("row"))]!);
    return ["taken"];
  },
  // R02: the type of what startResponse returns.
  returned: (_environ, startResponse) => [typeof startResponse("200 OK", plain)],
  // R08: a second call, the first one good or bad. excInfo null and undefined are absent (R16).
  twice: (_environ, startResponse, query) => {
    const first = query.get("first") === "bad"
      ? attempt(() => startResponse("bad", plain))
      : attempt(() => startResponse("200 OK", plain));
    const excInfo = query.get("exc") === "null" ? null : undefined;
    const second = attempt(() => startResponse("201 Created", plain, excInfo));
    startResponse("200 OK", plain, new Error("replaces"));
    return [`${first}, ${second}`];
  },
  // R08, uncaught: the server must make it a 500.
  "twice-uncaught": (_environ, startResponse) => {
    startResponse("200 OK", plain);
    startResponse("201 Created", plain);
    return ["unreachable"];
  },
  // R09: the second call replaces status and headers wholly.
  replaced: (_environ, startResponse) => {
    startResponse("200 OK", [["X-Old", "1"], ["Content-Length", "99"], ["Content-Type", "text/old"]]);
    startResponse("503 Replaced", [["X-New", "2"], ["Content-Type", "text/new"]], new Error("replaces"));
    return ["new"];
  },
  // R16: any value but null and undefined is an error that replaces.
  "replaced-by": (_environ, startResponse, query) => {
    startResponse("200 OK", plain);
    startResponse("203 Replaced", plain, thrownThings[Number(query.get("row"))]);
    return ["new"];
  },
  // R10: after the head is sent the very object is thrown; the application swallows it and goes on.
  "too-late": (_environ, startResponse, _query, entry) => {
    startResponse("200 OK", plain);
    return (async function* () {
      yield "begun;";
      await gate(entry);
      const mine = { mine: true };
      try {
        startResponse("500 Oops", plain, mine);
        entry.thrown = "nothing";
      } catch (error) {
        entry.thrown = error === mine ? "identical" : nameOf(error);
      }
      yield "swallowed;";
      yield "end";
    })();
  },
  // R11: startResponse was called, nothing else was done yet.
  silent: async (_environ, startResponse, _query, entry) => {
    startResponse("200 OK", plain);
    await gate(entry);
    return ["after"];
  },
  // R13: the list and its pairs are changed after the call.
  mutated: (_environ, startResponse) => {
    const list: [string, string][] = [["Content-Type", "text/plain"], ["X-A", "before"]];
    startResponse("200 OK", list);
    list[1]![1] = "after\r\nX-Evil: 1";
    list.push(["X-B", "after"]);
    return ["mutated"];
  },
  // R14: the first iteration step calls startResponse.
  lazy: (_environ, startResponse) => ({
    *[Symbol.iterator]() {
      startResponse("202 Lazy", plain);
      yield "lazy";
    },
  }),
  // R15: never called.
  never: (_environ, _startResponse, query, entry) => {
    const body = query.get("body");
    const items = body === "nothing" ? [] : body === "empty" ? ["", "x"] : ["x"];
    return {
      *[Symbol.iterator]() {
        for (const item of items) yield item;
      },
      close: () => bump(entry, "closed"),
    };
  },
  // R17: repeated names and letter case.
  cookies: (_environ, startResponse) => {
    startResponse("200 OK", [["Set-Cookie", "b=1"], ["X-CaSe", "kept"], ["set-cookie", "a=2"], [
      "Content-Type",
      "text/plain",
    ], ["X-CaSe", "again"]]);
    return ["cookies"];
  },
  // R12, B18: what a startResponse of a finished request does.
  stale: (_environ, startResponse, _query, entry) => {
    const write = startResponse("200 OK", plain);
    void gate(entry).then(() => {
      note(entry, "stale", attempt(() => write("late")));
      note(entry, "stale", attempt(() => startResponse("200 OK", plain, new Error("late"))));
    });
    return ["done"];
  },
};
