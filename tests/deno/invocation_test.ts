import { assert, assertEquals, assertInstanceOf, assertStringIncludes } from "@std/assert";
import { WriteError } from "../../core/gateway/gateway.ts";
import { TruncatedBodyError } from "../../core/contract/request_body.ts";
import type { Application, Environ } from "../../core/contract/types.ts";
import { call, settle, thrownBy } from "../gateway/fake_exchange.ts";
import { BodyWatch, KINDS } from "../gateway/observed_body.ts";

interface Row {
  readonly name: string;
  readonly script: readonly unknown[];
  readonly headers?: readonly (readonly [string, string])[];
  readonly environ?: Partial<Environ>;
  readonly calls: readonly string[];
  readonly stops: number;
}

const fail = (): never => {
  throw new Error("no");
};

const ROWS: readonly Row[] = [
  { name: "the end", script: ["", "a", "b"], calls: ["head 200 OK", "body a", "body b", "end"], stops: 0 },
  { name: "nothing", script: [], calls: ["head 200 OK length 0", "end"], stops: 0 },
  { name: "a throw before the head", script: [fail], calls: ["refuse 500 Internal Server Error"], stops: 0 },
  { name: "a throw after it", script: ["a", fail], calls: ["head 200 OK", "body a", "abort"], stops: 0 },
  { name: "a bad block", script: ["a", 7], calls: ["head 200 OK", "body a", "abort"], stops: 1 },
  {
    name: "HEAD",
    script: ["a", "b"],
    environ: { REQUEST_METHOD: "HEAD" },
    calls: ["head 200 OK bodyless", "end"],
    stops: 1,
  },
  {
    name: "surplus",
    script: ["ab", "c"],
    headers: [["Content-Length", "1"]],
    calls: ["head 200 OK length 1", "body a", "end"],
    stops: 1,
  },
  {
    name: "too few bytes",
    script: ["a"],
    headers: [["Content-Length", "2"]],
    calls: ["head 200 OK length 2", "body a", "abort"],
    stops: 0,
  },
];

for (const { name, script, headers = [], environ, calls, stops } of ROWS) {
  Deno.test(`B13 ${name}: every kind of body is closed once`, async (t) => {
    for (const kind of KINDS) {
      await t.step(kind.name, async () => {
        const watch = new BodyWatch();
        const { exchange } = call((_environ, startResponse) => {
          startResponse("200 OK", headers);
          return kind.make(script, watch);
        }, environ);
        await settle();
        assertEquals(exchange.calls, calls);
        assertEquals([watch.closes, watch.stops, watch.late], [1, kind.stoppable ? stops : 0, 0]);
      });
    }
  });
}

Deno.test("B04 nothing is pulled while the client is slow; departure stops and closes the body", async (t) => {
  for (const kind of KINDS) {
    await t.step(kind.name, async () => {
      const watch = new BodyWatch();
      const app: Application = (_environ, startResponse) => {
        startResponse("200 OK", []);
        return kind.make(["a", "b", "c"], watch);
      };
      const { invocation, exchange, environ } = call(app, {}, { flow: false });
      await settle();
      assertEquals(watch.pulls, 1);
      invocation.drained();
      await settle();
      assertEquals([watch.pulls, exchange.calls], [2, ["head 200 OK", "body a", "body b"]]);
      invocation.departed();
      await settle();
      assert(environ["tsgi.request"].signal.aborted);
      assertEquals([watch.pulls, watch.closes, watch.stops], [2, 1, kind.stoppable ? 1 : 0]);
    });
  }
});

Deno.test("B18 write(): before the body, a promise while the client is slow, an error when it is too late", async () => {
  const given: unknown[] = [];
  let late: unknown;
  const { exchange, drain } = call(
    async (_environ, startResponse) => {
      const write = startResponse("200 OK", [["Content-Length", "3"]]);
      const pending = write("a");
      given.push(pending instanceof Promise);
      await pending;
      given.push(write("b"));
      setTimeout(() => late = thrownBy(() => write("late")), 0);
      return ["c"];
    },
    {},
    { flow: false },
  );
  await settle();
  assertEquals(exchange.calls, ["head 200 OK length 3", "body a"]);
  drain();
  await settle();
  assertEquals(given, [true, undefined]);
  assertEquals(exchange.calls, ["head 200 OK length 3", "body a", "body b", "body c", "end"]);
  assertInstanceOf(late, WriteError);
});

Deno.test("X10, I09 a failure is answered in the wire's words and logged once", async () => {
  const broken = call(() => Promise.reject(new Error("secret")));
  const cut = call(() => Promise.reject(new TruncatedBodyError("cut off")));
  await settle();
  assertEquals([broken.exchange.calls, broken.log.length], [["refuse 500 Internal Server Error"], 1]);
  assertStringIncludes(broken.log[0] ?? "", "Error: secret\n    at ");
  assertEquals(cut.exchange.calls, ["refuse 400 Bad Request"]);
  assertEquals(cut.log, ["tsgi: GET /path?query: 400 Bad Request: cut off\n"]);
});

Deno.test("a synchronous response has ended when run() returns; a long one yields turns", async () => {
  const short = call((_environ, startResponse) => {
    startResponse("200 OK", []);
    return new Set(["a"]);
  });
  assertEquals([short.exchange.calls.at(-1), short.turns()], ["end", 0]);
  const block = new Uint8Array(1 << 20);
  const long = call(function* (_environ, startResponse) {
    startResponse("200 OK", []);
    for (let i = 0; i < 10; i++) yield block;
  });
  assertEquals(long.exchange.blocks.length, 1);
  for (let i = 0; i < 5; i++) await settle();
  assertEquals([long.exchange.blocks.length, long.exchange.calls.at(-1), long.turns()], [10, "end", 10]);
});
