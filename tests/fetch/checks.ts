/** toFetch with a Request made by hand: the body, departures, and the options that a server has too. @module */

import { type FetchOptions, toFetch } from "../../adapters/fetch.ts";
import type { AccessRecord } from "../../core/gateway/access_log.ts";
import type { Application, ApplicationFunction } from "../../core/contract/types.ts";
import { type Check, equal, ok, thrownBy } from "../wsgiref/check.ts";

const plain: [string, string][] = [["Content-Type", "text/plain"]];
const URL_ = "http://example.org/a";

const hello: ApplicationFunction = (_environ, startResponse) => {
  startResponse("200 OK", plain);
  return ["hello"];
};

const echo: ApplicationFunction = async (environ, startResponse) => {
  const body = await environ["wsgi.input"].read();
  startResponse("200 OK", plain);
  return [body];
};

/** A handler, and the text that it logged. */
function logged(app: Application, options: FetchOptions = {}): [ReturnType<typeof toFetch>, () => string] {
  let log = "";
  return [toFetch(app, { errorLog: (text) => void (log += text), ...options }), () => log];
}

/** A body that records what happens to it. */
function watched(...pieces: readonly string[]): { stream: ReadableStream<Uint8Array>; cancelled: Promise<void> } {
  let tell = (): void => {};
  const cancelled = new Promise<void>((resolve) => tell = resolve);
  const left = [...pieces];
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const piece = left.shift();
      if (piece !== undefined) controller.enqueue(new TextEncoder().encode(piece)); // and then no end
    },
    cancel: () => tell(),
  }, { highWaterMark: 0 });
  return { stream, cancelled };
}

function post(stream: ReadableStream<Uint8Array>, more: RequestInit = {}): Request {
  return new Request(URL_, { method: "POST", body: stream, duplex: "half", ...more } as RequestInit);
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`Waited for ${what}`);
}

/** Applications that do not read the whole body, and how their response ends. */
const unread: readonly (readonly [how: string, status: number, app: ApplicationFunction])[] = [
  ["an array", 200, hello],
  ["a failure", 500, () => {
    throw new Error("boom");
  }],
  ["a 204", 204, (_environ, startResponse) => {
    startResponse("204 No Content", []);
    return [];
  }],
  ["a part of it", 200, async (environ, startResponse) => {
    await environ["wsgi.input"].read(1);
    startResponse("200 OK", plain);
    return ["hello"];
  }],
  ["a generator", 200, function* (_environ, startResponse) {
    startResponse("200 OK", plain);
    yield "one";
    yield "two";
  }],
];

const bodyChecks: readonly Check[] = [
  ...unread.map(([how, status, app]): Check => ({
    name: `14.32 a request body that is not read is cancelled: ${how}`,
    run: async () => {
      const { stream, cancelled } = watched("first", "second");
      const response = await logged(app)[0](post(stream));
      equal(response.status, status);
      await response.text();
      await cancelled;
    },
  })),
  {
    name: "14.32 a request that is refused has its body cancelled",
    run: async () => {
      const { stream, cancelled } = watched("first");
      const [handler, log] = logged(hello, { limitRequestBody: 3 });
      equal((await handler(post(stream, { headers: { "content-length": "4" } }))).status, 413);
      await cancelled;
      ok(log().includes("refused a request: 413"), log());
    },
  },
  {
    name: "14.32 a client that leaves while the application reads has its body cancelled",
    run: async () => {
      const { stream, cancelled } = watched("first");
      const gone = new AbortController();
      let error: unknown;
      const [handler] = logged(async (environ, startResponse) => {
        error = await thrownBy(() => environ["wsgi.input"].read());
        return hello(environ, startResponse);
      });
      const answer = handler(post(stream, { signal: gone.signal }));
      await turn();
      gone.abort();
      await Promise.all([answer, cancelled]);
      await until("the read", () => error !== undefined);
      equal((error as Error).name, "InputClosedError");
    },
  },
  {
    name: "14.32 a Content-Length without a body does not look like an empty body",
    run: async () => {
      const request = (): Request => new Request(URL_, { headers: { "content-length": "3" } });
      const [handler, log] = logged(echo);
      const response = await handler(request());
      equal([response.status, log().includes("400 Bad Request: This host passes no content of a GET")], [400, true]);
      equal((await toFetch(hello)(request())).status, 200);
      equal(await (await toFetch(echo)(new Request(URL_, { headers: { "content-length": "0" } }))).text(), "");
    },
  },
  {
    name: "14.32 a body that is shorter than its Content-Length rejects the read",
    run: async () => {
      const request = new Request(URL_, { method: "POST", body: "abc", headers: { "content-length": "4" } });
      const [handler, log] = logged(echo);
      equal([(await handler(request)).status, log().includes("ended 1 bytes before")], [400, true]);
    },
  },
  {
    name: "14.32 a body that somebody has read before rejects the read, and the call settles",
    run: async () => {
      const used = new Request(URL_, { method: "POST", body: "abc" });
      await used.text();
      equal((await logged(echo)[0](used)).status, 500);
      const locked = new Request(URL_, { method: "POST", body: "abc" });
      locked.body?.getReader();
      equal((await logged(echo)[0](locked)).status, 500);
      equal((await logged(hello)[0](locked)).status, 200);
    },
  },
  {
    name: "14.32 a Content-Length that is none is refused",
    run: async () => {
      const request = new Request(URL_, { method: "POST", body: "abc", headers: { "content-length": "3, 3" } });
      equal((await logged(echo)[0](request)).status, 400);
    },
  },
];

const signalChecks: readonly Check[] = [
  {
    name: "14.32 a Request that is aborted already: signal is set when the application is called",
    run: async () => {
      const seen: unknown[] = [];
      const handler = toFetch((environ, startResponse) => {
        const { signal } = environ["tsgi.request"];
        seen.push(signal.aborted, (signal.reason as Error | undefined)?.name);
        return hello(environ, startResponse);
      });
      await handler(new Request(URL_, { signal: AbortSignal.abort() }));
      equal(seen, [true, "ClientDisconnectedError"]);
    },
  },
  {
    name: "14.32 a Request that is aborted later sets signal, one that was answered does not",
    run: async () => {
      for (const early of [true, false]) {
        const gone = new AbortController();
        let signal: AbortSignal | undefined;
        const handler = toFetch(async (environ, startResponse) => {
          ({ signal } = environ["tsgi.request"]);
          if (early) await new Promise((resolve) => signal?.addEventListener("abort", resolve));
          return hello(environ, startResponse);
        });
        const answer = handler(new Request(URL_, { signal: gone.signal }));
        if (!early) await (await answer).text();
        gone.abort();
        await answer;
        equal(signal?.aborted, early);
      }
    },
  },
];

const optionChecks: readonly Check[] = [
  {
    name: "14.32 accessLog gets a record of each response",
    run: async () => {
      const records: [number, number, boolean, unknown][] = [];
      const accessLog = ({ status, bytes, complete, environ }: AccessRecord): void =>
        void records.push([status, bytes, complete, environ.PATH_INFO]);
      const [handler] = logged((environ, startResponse) => {
        if (environ.PATH_INFO === "/fail") throw new Error("boom");
        return hello(environ, startResponse);
      }, { accessLog });
      await (await handler(new Request("http://a/ok"))).text();
      await (await handler(new Request("http://a/fail"))).text();
      await handler(new Request("http://a/gone", { signal: AbortSignal.abort() }));
      equal(records, [[200, 5, true, "/ok"], [500, 0, true, "/fail"], [499, 0, false, "/gone"]]);
    },
  },
  {
    name: "14.32 requestTimeout: 503 before the head, and signal says why",
    run: async () => {
      let reason: Error | undefined;
      const [handler, log] = logged(async (environ) => {
        const { signal } = environ["tsgi.request"];
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        reason = signal.reason as Error;
        return [];
      }, { requestTimeout: 0.02 });
      const response = await handler(new Request(URL_));
      equal([response.status, response.headers.get("retry-after")], [503, "1"]);
      await until("the signal", () => reason !== undefined);
      equal([reason?.name, log().includes("503 Service Unavailable: No response within 0.02 s")], [
        "RequestTimeoutError",
        true,
      ]);
    },
  },
  {
    name: "14.32 requestTimeout: a response that streams is cut, one that has ended in time is not",
    run: async () => {
      let closed = false;
      const [handler] = logged(async function* (environ, startResponse) {
        startResponse("200 OK", plain);
        try {
          yield "first";
          if (environ.QUERY_STRING === "") {
            await new Promise((resolve) => environ["tsgi.request"].signal.addEventListener("abort", resolve));
          }
        } finally {
          closed = true;
        }
      }, { requestTimeout: 0.05 });
      const response = await handler(new Request(URL_));
      equal(response.status, 200);
      ok(await thrownBy(() => response.text()) instanceof Error, "cut");
      await until("the end of the generator", () => closed);
      equal(await (await handler(new Request(`${URL_}?quick`))).text(), "first");
    },
  },
  {
    name: "14.32 requestTimeout: longer than a timer can be is none, and none is left behind",
    run: async () => {
      // A timer that is left would keep this program alive: the test of its end sees it.
      for (const requestTimeout of [Infinity, 2 ** 40, 3600]) {
        equal(await (await toFetch(hello, { requestTimeout })(new Request(URL_))).text(), "hello");
      }
    },
  },
  {
    name: "14.32 signal: drainIdle for one more request, then 503",
    run: async () => {
      const stop = new AbortController();
      const [handler] = logged(hello, { signal: stop.signal, drainIdle: 0.05 });
      equal((await handler(new Request(URL_))).status, 200);
      stop.abort();
      equal((await handler(new Request(URL_))).status, 200);
      await new Promise((resolve) => setTimeout(resolve, 60));
      const response = await handler(new Request(URL_));
      equal([response.status, response.headers.get("retry-after")], [503, "1"]);
      const fired = toFetch(hello, { signal: AbortSignal.abort(), drainIdle: 0, errorLog: () => {} });
      equal((await fired(new Request(URL_))).status, 503);
    },
  },
  {
    name: "14.32 signal: what runs is finished, and cut at gracefulTimeout",
    run: async () => {
      const stop = new AbortController();
      const signals: AbortSignal[] = [];
      let go = (): void => {};
      const gate = new Promise<void>((resolve) => go = resolve);
      const handler = toFetch(async (environ, startResponse) => {
        const { signal } = environ["tsgi.request"];
        signals.push(signal);
        if (environ.PATH_INFO === "/stream") {
          startResponse("200 OK", plain);
          return (async function* () {
            yield "first";
            await new Promise((resolve) => signal.addEventListener("abort", resolve));
          })();
        }
        await (environ.PATH_INFO === "/quick"
          ? gate
          : new Promise((resolve) => signal.addEventListener("abort", resolve)));
        return hello(environ, startResponse);
      }, { signal: stop.signal, gracefulTimeout: 0.1 });
      const [quick, stuck, stream] = ["/quick", "/stuck", "/stream"].map((path) =>
        handler(new Request(`http://a${path}`))
      );
      const streaming = (await stream as Response).text();
      stop.abort();
      go();
      equal(await (await quick as Response).text(), "hello");
      equal(((await stuck) as Response).status, 503);
      ok(await thrownBy(() => streaming) instanceof Error, "cut");
      equal(signals.map((signal) => signal.aborted), [false, true, true]);
    },
  },
];

export const checks: readonly Check[] = [...bodyChecks, ...signalChecks, ...optionChecks];
