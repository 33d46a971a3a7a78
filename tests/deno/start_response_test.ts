import { assertEquals, assertInstanceOf, assertStrictEquals } from "@std/assert";
import { responseHead, StartResponseError } from "../../core/contract/response_head.ts";
import { call, settle, thrownBy } from "../gateway/fake_exchange.ts";

Deno.test("R03 to R07, R18 startResponse refuses", async (t) => {
  const refused: [status: unknown, headers: unknown][] = [
    ["200", []],
    ["200OK", []],
    ["20X OK", []],
    ["101 Switching Protocols", []],
    ["600 High", []],
    ["200 OK ", []],
    ["200 O\nK", []],
    ["200 \u2713", []],
    [200, []],
    ["200 OK", null],
    ["200 OK", { A: "b" }],
    ["200 OK", new Headers({ A: "b" })],
    ["200 OK", [["A"]]],
    ["200 OK", [["A", "b", "c"]]],
    ["200 OK", [["A", 1]]],
    ["200 OK", [["A b", "c"]]],
    ["200 OK", [["A:", "c"]]],
    ["200 OK", [["A-", "c"]]],
    ["200 OK", [["Status", "c"]]],
    ["200 OK", [["A", "b\r\nC: d"]]],
    ["200 OK", [["A", "b\0"]]],
    ["200 OK", [["A", "\u2713"]]],
    ["200 OK", [["connection", "close"]]],
    ["200 OK", [["TRANSFER-ENCODING", "chunked"]]],
    ["200 OK", [["Content-Length", "-1"]]],
    ["200 OK", [["Content-Length", "1"], ["content-length", "1"]]],
  ];
  for (const [status, headers] of refused) {
    await t.step(JSON.stringify([status, headers]), () => {
      assertInstanceOf(thrownBy(() => responseHead(status, headers)), StartResponseError);
    });
  }
});

Deno.test("R03, R06, R17, R18 startResponse takes, and finds out what wires need", () => {
  const headers = [["Set-Cookie", "a"], ["set-cookie", "\u00e9\t"], ["DATE", "x"], ["Content-Length", "05"]];
  assertEquals(responseHead("200 ", headers), {
    status: "200 ",
    code: 200,
    headers: headers as [string, string][],
    contentLength: 5,
    hasDate: true,
    hasServer: false,
  });
});

Deno.test("R08, R09 a second call throws; with excInfo it replaces the head", () => {
  let second: unknown;
  const { exchange } = call((_environ, startResponse) => {
    startResponse("200 OK", [["A", "b"]]);
    second = thrownBy(() => startResponse("200 OK", []));
    startResponse("503 Sorry", [], new Error("x"));
    return "a";
  });
  assertInstanceOf(second, StartResponseError);
  assertEquals(exchange.calls, ["head 503 Sorry length 1", "body a", "end"]);
  assertEquals(exchange.sent?.headers, []);
});

Deno.test("R10 after the head excInfo is thrown by identity, and the response aborts though it is swallowed", async () => {
  const failure = new Error("late");
  let thrown: unknown;
  const { exchange, log } = call(async function* (_environ, startResponse) {
    startResponse("200 OK", []);
    yield "a";
    await settle();
    thrown = thrownBy(() => startResponse("500 Oh", [], failure));
    yield "b";
  });
  await settle();
  await settle();
  assertStrictEquals(thrown, failure);
  assertStrictEquals(exchange.error, failure);
  assertEquals([exchange.calls, log.length], [["head 200 OK", "body a", "abort"], 1]);
});
