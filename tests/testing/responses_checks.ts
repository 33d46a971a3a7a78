/** What a test client gets: bodies as they come, errors, departures. @module */

import { type Application, ClientDisconnectedError, type Environ, type StartResponse } from "../../mod.ts";
import { ApplicationFailedError, client, TruncatedResponseError } from "../../testing/mod.ts";
import { type Check, equal, ok, thrownBy } from "../wsgiref/check.ts";
import { echo } from "./requests_checks.ts";

const plain: [string, string][] = [["Content-Type", "text/plain"]];

const counted = (blocks: Iterable<string> | AsyncIterable<string>, count: { closed: number }) =>
  Object.assign(blocks, { close: () => void count.closed++ });

export const responseChecks: readonly Check[] = [
  {
    name: "A response: status, reason, headers, bytes, text, JSON; the body is read once",
    run: async () => {
      const app: Application = (_environ, startResponse) => {
        startResponse("201 Made It", [["X-A", "1"], ["x-a", "2"], ["Content-Type", "application/json"]]);
        return ['{"a":', "1}"];
      };
      const response = await client(app).get("/");
      equal([response.status, response.reason, response.headers.getAll("X-A")], [201, "Made It", ["1", "2"]]);
      equal(response.headers.get("content-length"), "7");
      equal(await response.json(), { a: 1 });
      ok(await thrownBy(() => response.text()) instanceof TypeError, "read twice");
      equal([...await (await client(app).get("/")).bytes()].length, 7);
    },
  },
  ...([["204 No Content", null], ["205 Reset Content", "0"], ["304 Not Modified", "5"]] as const).map((
    [status, length],
  ): Check => ({
    name: `14.31 A response with ${status} has no content`,
    run: async () => {
      for (const body of [["bytes"], new Set(["by", "tes"])]) {
        const response = await client((_environ, startResponse) => {
          startResponse(status, [["Content-Length", "5"]]);
          return body;
        }).get("/");
        equal([await response.text(), response.headers.get("content-length")], ["", length]);
      }
    },
  })),
  {
    name:
      "17.4 `body` is a stream: it reads nothing by itself, each read takes a block, cancel() makes the client leave",
    run: async () => {
      let given = 0;
      let reason = "";
      const app: Application = (environ, startResponse) => {
        const { signal } = environ["tsgi.request"];
        signal.addEventListener("abort", () => reason = (signal.reason as Error).name);
        startResponse("200 OK", plain);
        return (async function* () {
          for (given = 1; given < 3; given++) yield `${given};`;
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          yield "never";
        })();
      };
      const { body } = await client(app).get("/");
      const reader = body.getReader();
      const first = await reader.read();
      equal(new TextDecoder().decode(first.value), "1;");
      const second = await reader.read();
      equal(new TextDecoder().decode(second.value), "2;");
      const third = reader.read(); // waits for the application
      await reader.cancel();
      equal([(await third).done, reason], [true, "ClientDisconnectedError"]);
      const whole = await client(echo).post("/", { body: "abc" });
      ok(whole.body === whole.body, "one stream");
      equal((await whole.json() as { body: string }).body, "abc"); // looking at `body` has not read it
      ok(await thrownBy(() => whole.body.getReader().read()) instanceof TypeError, "read twice");
      equal(await new Response((await client(echo).get("/")).body as ReadableStream<Uint8Array<ArrayBuffer>>).json(), {
        line: "GET /?",
        type: null,
        length: null,
        body: "",
      });
    },
  },
  {
    name: "A response streams: a block comes while the next one waits",
    run: async () => {
      let open = (): void => {};
      const gate = new Promise<void>((resolve) => open = resolve);
      const response = await client((_environ, startResponse) => {
        startResponse("200 OK", plain);
        return (async function* () {
          yield "first;";
          await gate;
          yield "second";
        })();
      }).get("/");
      const seen: string[] = [];
      for await (const block of response) {
        seen.push(new TextDecoder().decode(block));
        open();
      }
      equal(seen, ["first;", "second"]);
    },
  },
  ...(["sync", "async"] as const).map((form): Check => ({
    name: `Backpressure: an application is asked for no more than 64 KiB ahead of the test (${form})`,
    run: async () => {
      let pulled = 0;
      const count = { closed: 0 };
      const response = await client((_environ, startResponse) => {
        startResponse("200 OK", plain);
        const block = "x".repeat(1024);
        const blocks = form === "sync"
          ? (function* () {
            for (; pulled < 1000; pulled++) yield block;
          })()
          : (async function* () {
            for (; pulled < 1000; pulled++) yield await Promise.resolve(block);
          })();
        return counted(blocks, count);
      }).get("/");
      await new Promise((resolve) => setTimeout(resolve, 5));
      ok(pulled > 10 && pulled < 100, `${pulled} blocks were pulled`);
      equal((await response.bytes()).length, 1000 * 1024);
      equal(count.closed, 1);
    },
  })),
  ...(["cancel()", "leaving the loop", "a signal"] as const).map((how): Check => ({
    name: `Disconnect by ${how}: the signal fires, the generator returns, close() once, reads end`,
    run: async () => {
      const count = { closed: 0 };
      let returned = 0;
      let reason: unknown;
      const leaving = new AbortController();
      const response = await client((environ, startResponse) => {
        const { signal } = environ["tsgi.request"];
        signal.addEventListener("abort", () => reason = signal.reason);
        startResponse("200 OK", plain);
        return counted(
          (async function* () {
            try {
              for (;;) {
                yield "x";
                await new Promise((resolve) => setTimeout(resolve, 1));
              }
            } finally {
              returned++;
            }
          })(),
          count,
        );
      }).get("/", { signal: leaving.signal });
      for await (const _ of response) {
        if (how === "leaving the loop") break;
        if (how === "cancel()") response.cancel();
        else leaving.abort(new Error("bye"));
        const rest = await thrownBy(() => response.text());
        ok(rest instanceof TypeError, "it is being read");
        break;
      }
      for (let i = 0; i < 100 && count.closed === 0; i++) await new Promise((resolve) => setTimeout(resolve, 1));
      ok(reason instanceof ClientDisconnectedError, String(reason));
      equal([returned, count.closed], [1, 1]);
      equal(response.log, "");
    },
  })),
  {
    name: "Disconnect before the head: the request rejects with the reason, the application is told",
    run: async () => {
      const leaving = new AbortController();
      let fired = false;
      let gone = (): void => {};
      const told = new Promise<void>((resolve) => gone = resolve);
      const request = client(async (environ, startResponse) => {
        environ["tsgi.request"].signal.addEventListener("abort", () => {
          fired = true;
          gone();
        });
        setTimeout(() => leaving.abort(new RangeError("no patience")), 0);
        await told;
        startResponse("200 OK", plain);
        return ["for nobody"];
      }).get("/", { signal: leaving.signal });
      ok(await thrownBy(() => request) instanceof RangeError, "not the reason");
      equal(fired, true);
      const early = await thrownBy(() => client(echo).get("/", { signal: AbortSignal.abort(new RangeError("x")) }));
      ok(early instanceof RangeError, "not refused at once");
    },
  },
  {
    name: "The signal never fires after a complete response",
    run: async () => {
      let fired = false;
      const response = await client((environ, startResponse) => {
        environ["tsgi.request"].signal.addEventListener("abort", () => fired = true);
        startResponse("200 OK", plain);
        return ["whole"];
      }).get("/");
      response.cancel();
      equal([await response.text(), fired], ["whole", false]);
    },
  },
  {
    name: "Errors of the application: a 500 before the head, a truncated body after it, the trace in the log",
    run: async () => {
      const before = await client(() => {
        throw new RangeError("spam");
      }).get("/");
      equal([before.status, await before.text()], [500, "500 Internal Server Error\n"]);
      ok(before.log.includes("RangeError: spam"), before.log);
      const after = await client((_environ, startResponse) => {
        void startResponse("200 OK", plain)("begun");
        throw new RangeError("spam");
      }).get("/");
      const error = await thrownBy(() => after.text());
      ok(error instanceof TruncatedResponseError && error.cause instanceof RangeError, String(error));
      const short = await client((_environ, startResponse) => {
        startResponse("200 OK", [["Content-Length", "9"]]);
        return ["short"];
      }).get("/");
      ok(await thrownBy(() => short.bytes()) instanceof TruncatedResponseError, "not cut off");
    },
  },
  ...(["call", "promise", "generator", "async generator", "after the head", "close"] as const).map((where): Check => ({
    name: `raise: the very error of the application rejects: ${where}`,
    run: async () => {
      const mine = new RangeError("spam");
      const app = ((_environ: Environ, startResponse: StartResponse) => {
        if (where === "call") throw mine;
        if (where === "promise") return Promise.reject(mine);
        startResponse("200 OK", plain);
        if (where === "async generator") {
          // deno-lint-ignore require-yield
          return (async function* (): AsyncGenerator<string> {
            await Promise.resolve();
            throw mine;
          })();
        }
        return (function* () {
          if (where === "after the head") yield "begun";
          if (where !== "close") throw mine;
        })();
      }) as unknown as Application;
      const visitor = client(app, { raise: true });
      if (where === "close") equal((await visitor.get("/")).status, 200);
      else ok(await thrownBy(async () => (await visitor.get("/")).text()) === mine, "another error");
    },
  })),
  {
    name: "raise: an error that is the gateway's own is an ApplicationFailedError; a refusal is still a response",
    run: async () => {
      const visitor = client((() => 7) as unknown as Application, { raise: true });
      const error = await thrownBy(() => visitor.get("/"));
      ok(error instanceof ApplicationFailedError && error.message.includes("number 7"), String(error));
      equal((await client(echo, { raise: true, limitRequestBody: 1 }).post("/", { body: "ab" })).status, 413);
    },
  },
  {
    name: "earlyHints come as they are sent, and stay with the response",
    run: async () => {
      const seen: string[] = [];
      const app: Application = (environ, startResponse) => {
        environ["tsgi.request"].earlyHints([["Link", "</a.css>"]]);
        seen.push("after the hint");
        startResponse("200 OK", plain);
        return [];
      };
      const response = await client(app).get("/", { onInterim: ({ status }) => seen.push(status) });
      equal([seen, response.interims.length], [["103 Early Hints", "after the hint"], 1]);
      equal((await client(app).get("/", { protocol: "HTTP/1.0" })).interims.length, 0);
    },
  },
  {
    name: "upgrade has no socket here",
    run: async () => {
      const response = await client((environ, startResponse) => {
        let name = "none";
        try {
          environ["tsgi.request"].upgrade();
        } catch (error) {
          name = (error as Error).name;
        }
        startResponse("200 OK", plain);
        return [name];
      }).get("/");
      equal(await response.text(), "RequestError");
    },
  },
];
