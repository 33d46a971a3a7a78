/**
 * What `startResponse` takes and refuses (rules R01 to R18).
 *
 * Every check happens in the call itself, so a test is a call and what it threw; nothing has been sent by then.
 */

import { describe, expect, test } from "vitest";
import { ForeignStatus, responseHead, StartResponseError } from "../../core/contract/response_head.ts";
import type { HeaderList, StartResponse } from "../../core/contract/types.ts";
import type { ResponseHead } from "../../core/seams.ts";
import { call, type FakeExchange, NOTHING_THROWN, settle, thrownBy } from "./fake_exchange.ts";

type Loose = (...args: unknown[]) => unknown;

/** What `startResponse(...args)` throws in an application of its own. */
function refusal(...args: unknown[]): unknown {
  let thrown: unknown;
  call((_environ, startResponse) => {
    thrown = thrownBy(() => (startResponse as Loose)(...args));
    return [];
  });
  return thrown;
}

function headOf(status: string, headers: HeaderList): ResponseHead | undefined {
  return call((_environ, startResponse) => {
    startResponse(status, headers);
    return [];
  }).exchange.sent;
}

function expectRefused(thrown: unknown, part: string): void {
  expect(thrown).toBeInstanceOf(StartResponseError);
  expect((thrown as Error).message).toContain(part);
}

const CONTROLS = [...Array.from({ length: 32 }, (_, unit) => unit), 0x7f];
const hex = (unit: number): string => `0x${unit.toString(16).padStart(2, "0")}`;

describe("R01 the number of arguments", () => {
  for (const count of [0, 1, 4, 5]) {
    test(`R01 ${count} arguments are refused`, () => {
      expectRefused(refusal(...["200 OK", [], null, null, null].slice(0, count)), `2 or 3 arguments, got ${count}`);
    });
  }

  test("R01 two and three are taken", () => {
    expect([refusal("200 OK", []), refusal("200 OK", [], null)]).toEqual([NOTHING_THROWN, NOTHING_THROWN]);
  });
});

test("R02 it returns the write callable, the same one from each call", () => {
  const writes: unknown[] = [];
  call((_environ, startResponse) => {
    writes.push(startResponse("200 OK", []), startResponse("500 Oh", [], new Error("again")));
    return [];
  });
  expect(typeof writes[0]).toBe("function");
  expect(writes[1]).toBe(writes[0]);
});

describe("16.2 a status that a bridge passes on", () => {
  const headOfForeign = (text: string): unknown => responseHead(new ForeignStatus(text), []);

  test("16.2 is taken from 600 to 999, and known again", () => {
    expect(headOfForeign("600 High")).toMatchObject({ status: "600 High", code: 600 });
    expect(headOfForeign("999 ")).toMatchObject({ status: "999 ", code: 999 });
  });

  test.each(["200 OK", "199 Low", "1000 x", "700", "700 a\r\nX: y", "700 a "])("16.2 %j is refused", (text) => {
    expect(() => headOfForeign(text)).toThrow(StartResponseError);
  });
});

describe("R03 the status", () => {
  const good = ["200 OK", "200 ", "404 Not Found", "299 x", "599 y", "204 No\tContent", "200 \u00fcber", "418 I'm"];
  for (const status of good) {
    test(`R03 ${JSON.stringify(status)} is taken as it is`, () => {
      expect(headOf(status, [])).toMatchObject({ status, code: Number(status.slice(0, 3)) });
    });
  }

  const bad: unknown[] = ["", "200", "20X OK", "200OK", "20 OK", "2000 OK", "099 Low", "600 High", "000 x", "-20 x"];
  bad.push(
    " 200 OK",
    "200  OK",
    "200 OK ",
    "200 \tOK",
    "200 OK\t",
    "200\tOK",
    "200 OK\n",
    "200 OK\r\nX: y",
    "\n200 OK",
  );
  bad.push("\u0662\u0660\u0660 OK", 200, null, undefined, true, ["200 OK"], new String("200 OK"), Symbol("200"), 200n);
  bad.push("200 \u0100", "200 \ud83d\ude00", "2e2 OK", "0x2 OK");
  for (const status of bad) {
    test(`R03 ${typeof status} ${JSON.stringify(String(status))} is refused`, () => {
      expectRefused(refusal(status, []), "startResponse: expected a status");
    });
  }

  for (const status of ["100 Continue", "101 Switching Protocols", "103 Early Hints"]) {
    test(`R03 ${status} is refused and the message names earlyHints`, () => {
      expectRefused(refusal(status, []), "earlyHints");
    });
  }

  for (const unit of CONTROLS.filter((unit) => unit !== 0x09)) {
    test(`R03 ${hex(unit)} in the reason is refused`, () => {
      expectRefused(refusal(`200 O${String.fromCharCode(unit)}K`, []), "expected a status");
    });
  }
});

describe("R04 the shape of the list", () => {
  const lists: Record<string, unknown> = {
    null: null,
    undefined,
    "a string": "A: b",
    "an object": { A: "b" },
    "a Map": new Map([["A", "b"]]),
    "a Headers object": new Headers({ A: "b" }),
    "an array-like": { length: 0 },
    "an iterable": new Set([["A", "b"]]),
  };
  for (const [name, list] of Object.entries(lists)) {
    test(`R04 ${name} is no list`, () =>
      expectRefused(refusal("200 OK", list), "expected an array of [name, value] pairs"));
  }

  const pairs: Record<string, unknown> = {
    "a string": "ab",
    "one element": ["A"],
    "three elements": ["A", "b", "c"],
    "no elements": [],
    null: null,
    "an object": { 0: "A", 1: "b", length: 2 },
    "a number as value": ["A", 1],
    "a number as name": [1, "b"],
    "null as value": ["A", null],
    "undefined as value": ["A", undefined],
    "an array as value": ["A", ["b"]],
    "a String object": ["A", new String("b")],
    "bytes as value": ["A", new Uint8Array([98])],
  };
  for (const [name, pair] of Object.entries(pairs)) {
    test(`R04 ${name} is no pair`, () => {
      expectRefused(refusal("200 OK", [["Good", "one"], pair]), "expected a pair of two strings as header 2");
    });
  }

  test("R04 a hole in the list is no pair", () => {
    expectRefused(refusal("200 OK", new Array(1)), "expected a pair of two strings as header 1");
  });

  test("R04 frozen lists are taken, empty ones too", () => {
    expect(refusal("200 OK", Object.freeze([Object.freeze(["A", "b"])]))).toBe(NOTHING_THROWN);
    expect(refusal("200 OK", Object.freeze([]))).toBe(NOTHING_THROWN);
  });
});

describe("R05 names", () => {
  for (
    const unit of [
      ...CONTROLS,
      ...[...' "(),/:;<=>?@[\\]{}\u0080\u00e9\u00ff\u0100\u212a'].map((c) => c.charCodeAt(0)),
    ]
  ) {
    test(`R05 ${hex(unit)} in a name is refused, wherever it stands`, () => {
      const char = String.fromCharCode(unit);
      for (const name of [`${char}X`, `X${char}Y`, `X${char}`, char]) {
        expectRefused(refusal("200 OK", [[name, "v"]]), "expected a token as header name");
      }
    });
  }

  for (const name of ["X-", "X_", "-", "_", "Status", "status", "STATUS"]) {
    test(`R05 the name ${name} is refused`, () => {
      expectRefused(refusal("200 OK", [[name, "v"]]), "is not the application's to set");
    });
  }

  test("R05 the empty name is refused", () => expectRefused(refusal("200 OK", [["", "v"]]), "expected a token"));

  for (const name of ["X", "x-y", "X_y", "-X", "_X", "!#$%&'*+.^`|~0", "X-Status", "Statuses"]) {
    test(`R05 the name ${name} is taken`, () =>
      expect(headOf("200 OK", [[name, "v"]])?.headers).toEqual([[name, "v"]]));
  }
});

describe("R06 values", () => {
  for (const unit of CONTROLS.filter((unit) => unit !== 0x09)) {
    test(`R06 ${hex(unit)} in a value is refused, wherever it stands`, () => {
      const char = String.fromCharCode(unit);
      for (const value of [`${char}v`, `v${char}v`, `v${char}`, char]) {
        expectRefused(
          refusal("200 OK", [["X", value]]),
          "expected latin-1 text without control characters as value of X",
        );
      }
    });
  }

  for (const value of ["\u0100", "caf\u00e9 \u2713", "\ud83d\ude00", "\ud800"]) {
    test(`R06 a code point above U+00FF is refused: ${JSON.stringify(value)}`, () => {
      expectRefused(refusal("200 OK", [["X", value]]), "latin-1");
    });
  }

  for (const value of ["", "a\tb", "\u0080\u00ff", 'a:b,c;d="e"', "  spaces  "]) {
    test(`R06 ${JSON.stringify(value)} is taken as it is`, () => {
      expect(headOf("200 OK", [["X", value]])?.headers).toEqual([["X", value]]);
    });
  }
});

describe("R07 hop-by-hop names", () => {
  const names = ["Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailers"];
  for (const name of [...names, "Transfer-Encoding", "Upgrade"]) {
    test(`R07 ${name} is refused in any letter case`, () => {
      for (const spelt of [name, name.toLowerCase(), name.toUpperCase()]) {
        expectRefused(refusal("200 OK", [["X", "v"], [spelt, "v"]]), "is not the application's to set");
      }
    });
  }

  for (const name of ["Trailer", "Via", "Date", "Warning", "Cache-Control", "Pragma", "Accept", "Server", "Proxy-X"]) {
    test(`R07 ${name} is not refused`, () => {
      expect([name, name.toLowerCase()].map((spelt) => refusal("200 OK", [[spelt, "v"]]))).toEqual(
        [NOTHING_THROWN, NOTHING_THROWN],
      );
    });
  }
});

describe("R08, R12 the second call", () => {
  const firsts: Record<string, readonly unknown[]> = {
    "went well": ["200 OK", []],
    "threw for its status": ["200", []],
    "threw for its list": ["200 OK", null],
    "threw for a header": ["200 OK", [["X", "\n"]]],
    "threw for its number of arguments": ["200 OK"],
  };
  for (const [name, first] of Object.entries(firsts)) {
    for (const absent of [[], [null], [undefined]]) {
      const how = absent.length === 0 ? "left out" : String(absent[0]);
      test(`R08 without excInfo (${how}) throws, where the first one ${name}`, () => {
        let second: unknown;
        call((_environ, startResponse) => {
          thrownBy(() => (startResponse as Loose)(...first));
          second = thrownBy(() => (startResponse as Loose)("200 OK", [], ...absent));
          return [];
        });
        expectRefused(second, "a second time without excInfo");
      });
    }

    test(`R12 with excInfo may follow, where the first one ${name}`, () => {
      const { exchange } = call((_environ, startResponse) => {
        thrownBy(() => (startResponse as Loose)(...first));
        startResponse("503 Sorry", [], new Error("first"));
        return "x";
      });
      expect(exchange.calls).toEqual(["head 503 Sorry length 1", "body x", "end"]);
    });
  }

  test("R08 a refused second call leaves the first one in force", () => {
    const { exchange, log } = call((_environ, startResponse) => {
      startResponse("200 OK", []);
      thrownBy(() => startResponse("404 Not Found", []));
      return "x";
    });
    expect([exchange.calls, log]).toEqual([["head 200 OK length 1", "body x", "end"], []]);
  });
});

test("R11 startResponse itself sends nothing", async () => {
  let during: string[] = [];
  const { exchange } = call(async function (_environ, startResponse) {
    startResponse("200 OK", [["Content-Length", "0"]]);
    await settle();
    during = [...exchange.calls];
    return [];
  });
  await settle();
  await settle();
  expect([during, exchange.calls]).toEqual([[], ["head 200 OK length 0", "end"]]);
});

test("R13 the list is copied: what becomes of it later changes nothing", () => {
  const pair: [string, string] = ["X", "before"];
  const list: [string, string][] = [pair];
  const { exchange } = call((_environ, startResponse) => {
    startResponse("200 OK", list);
    pair[1] = "after\r\n";
    list.push(["Y", "late"]);
    return [];
  });
  expect(exchange.sent?.headers).toEqual([["X", "before"]]);
});

describe("R14 a late call", () => {
  const lates: Record<string, (startResponse: StartResponse) => Generator<string> | AsyncGenerator<string>> = {
    "the first step of a generator": function* (startResponse) {
      startResponse("200 OK", []);
      yield "x";
    },
    "the first step of an async generator, after a wait": async function* (startResponse) {
      await settle();
      startResponse("200 OK", []);
      yield "x";
    },
  };
  for (const [name, body] of Object.entries(lates)) {
    test(`R14 ${name} may make the call`, async () => {
      const { exchange } = call((_environ, startResponse) => body(startResponse));
      await settle();
      await settle();
      expect(exchange.calls).toEqual(["head 200 OK", "body x", "end"]);
    });
  }
});

describe("R16 what counts as excInfo", () => {
  for (const excInfo of [new Error("x"), "text", "", 0, false, {}, [], Symbol("s"), 0n, NaN]) {
    test(`R16 ${typeof excInfo} ${String(excInfo)} does`, () => {
      const calls = replaced(excInfo).calls;
      expect(calls).toEqual(["head 500 Oh length 0", "end"]);
    });
  }

  function replaced(excInfo: unknown): FakeExchange {
    return call((_environ, startResponse) => {
      startResponse("200 OK", [["X", "first"], ["Content-Length", "7"]]);
      startResponse("500 Oh", [], excInfo);
      return [];
    }).exchange;
  }

  test("R09 it replaces status and headers wholly", () => {
    expect(replaced(new Error("x")).sent).toMatchObject({ status: "500 Oh", headers: [], contentLength: null });
  });
});

test("R12 a replacement that is refused leaves no head to send", () => {
  const { exchange, log } = call((_environ, startResponse) => {
    startResponse("200 OK", []);
    thrownBy(() => startResponse("500", [], new Error("x")));
    return "x";
  });
  expect(exchange.calls).toEqual(["refuse 500 Internal Server Error"]);
  expect(log.join()).toContain("without a successful call of startResponse");
});

test("R17 repeated names stay apart, in order, in the letters they came in", () => {
  const list: HeaderList = [["Set-Cookie", "a=1"], ["x", "1"], ["set-cookie", "b=2"], ["Set-Cookie", "a=1"]];
  expect(headOf("200 OK", list)?.headers).toEqual(list);
});

describe("R18 Content-Length", () => {
  const bad = [
    "",
    " ",
    "-1",
    "+1",
    "1.0",
    "1e3",
    "0x10",
    "5 ",
    " 5",
    "5,5",
    "5, 5",
    "five",
    "9007199254740993",
    "\u00b2",
  ];
  for (const value of bad) {
    test(`R18 ${JSON.stringify(value)} is refused`, () => {
      expectRefused(refusal("200 OK", [["content-length", value]]), "expected decimal digits as Content-Length");
    });
  }

  for (const second of ["5", "6"]) {
    test(`R18 a second one is refused: 5 and ${second}`, () => {
      expectRefused(refusal("200 OK", [["Content-Length", "5"], ["CONTENT-LENGTH", second]]), "given twice");
    });
  }

  for (const [value, length] of [["0", 0], ["12345", 12345], ["007", 7]] as const) {
    test(`R18 ${value} is ${length}`, () => {
      expect(headOf("200 OK", [["cOntent-lEngth", value]])?.contentLength).toBe(length);
    });
  }
});

describe("H01, H02 the facts of a head", () => {
  for (
    const [name, hasDate, hasServer] of [["DATE", true, false], ["server", false, true], [
      "Dates",
      false,
      false,
    ]] as const
  ) {
    test(`${name}: date ${hasDate}, server ${hasServer}`, () => {
      expect(headOf("200 OK", [[name, "v"]])).toMatchObject({ hasDate, hasServer });
    });
  }
});
