/** Server-sent events: their text, the comments, and the ends. @module */

import type { Application } from "../../mod.ts";
import { eventStream, type ServerSentEvent } from "../../http/mod.ts";
import { client } from "../../testing/mod.ts";
import { validator } from "../../wsgiref/validate.ts";
import { type Check, equal, ok, thrownBy } from "../wsgiref/check.ts";

const events: readonly (readonly [ServerSentEvent | string, string])[] = [
  ["hello", "data: hello\n\n"],
  ["a\nb\r\nc\rd", "data: a\ndata: b\ndata: c\ndata: d\n\n"],
  ["", "data: \n\n"],
  [{ data: { a: 1 } }, 'data: {"a":1}\n\n'],
  [{ data: "x", event: "e", id: 7, retry: 100 }, "event: e\nid: 7\nretry: 100\ndata: x\n\n"],
  [{ comment: "one\ntwo" }, ": one\n: two\n\n"],
  [{ id: "" }, "id: \n\n"],
];

const wrong: readonly ServerSentEvent[] = [
  { event: "a\nb" },
  { id: "1\rdata: x" },
  { id: "\0" },
  { retry: -1 },
  { data: () => {} },
  { data: Symbol("none") },
  7 as ServerSentEvent,
];

const streaming = (source: Parameters<typeof eventStream>[1], keepAlive?: number): Application =>
  validator((_environ, startResponse) =>
    eventStream(startResponse, source, keepAlive === undefined ? {} : { keepAlive })
  );

export const eventChecks: readonly Check[] = [
  ...events.map(([event, expected], i): Check => ({
    name: `19.13 event ${i}`,
    run: async () =>
      equal(await (await client(streaming([event]), { raise: true }).get("/")).text(), `:\n\n${expected}`),
  })),
  ...wrong.map((event, i): Check => ({
    name: `19.13 event ${i} is refused, and its source ends`,
    run: async () => {
      let ended = false;
      function* source() {
        try {
          yield event;
        } finally {
          ended = true;
        }
      }
      const response = await client(streaming(source()), { raise: true }).get("/");
      const error = await thrownBy(() => response.text());
      ok(
        error instanceof TypeError && error.message.startsWith("eventStream: expected "),
        `no such TypeError: ${error}`,
      );
      ok(ended, "the source goes on");
    },
  })),
  {
    name: "19.13 a field that the application gives replaces that of eventStream",
    run: async () => {
      const headers = [["cache-control", "no-cache"], ["X-A", "b"]] as const;
      const app = validator((_environ, startResponse) => eventStream(startResponse, [], { headers }));
      const { headers: sent } = await client(app, { raise: true }).get("/");
      equal(["Content-Type", "Cache-Control", "X-Accel-Buffering", "X-A"].map((name) => sent.get(name)), [
        "text/event-stream",
        "no-cache",
        "no",
        "b",
      ]);
    },
  },
  {
    name: "19.13 comments come while there is no event, and the event is not lost",
    run: async () => {
      let go = (): void => {};
      const gate = new Promise<void>((resolve) => go = resolve);
      async function* source() {
        await gate;
        yield "now";
      }
      const response = await client(streaming(source(), 5), { raise: true }).get("/");
      equal(response.headers.get("Content-Type"), "text/event-stream");
      let text = "";
      for await (const bytes of response) {
        text += new TextDecoder().decode(bytes);
        if (text === ":\n\n:\n\n:\n\n") go();
      }
      ok(/^(?::\n\n){3,}data: now\n\n(?::\n\n)*$/.test(text), text);
    },
  },
  {
    name: "19.14 an error of the source, also one between two comments, is not an end",
    run: async () => {
      let fail = (_error: Error): void => {};
      const gate = new Promise<void>((_, reject) => fail = reject);
      const source = { [Symbol.asyncIterator]: () => ({ next: () => gate.then(() => ({ done: true, value: "" })) }) };
      let text = "";
      const response = await client(streaming(source as AsyncIterable<string>, 5), { raise: true }).get("/");
      const error = await thrownBy(async () => {
        for await (const bytes of response) {
          text += new TextDecoder().decode(bytes);
          if (text === ":\n\n:\n\n") {
            fail(new RangeError("broken"));
            await new Promise((resolve) => setTimeout(resolve, 1)); // it rejects while nobody asks
          }
        }
      });
      ok(error instanceof RangeError, String(error));
    },
  },
  {
    name: "19.14 when the client leaves, the signal fires and a source that waits is told to return",
    run: async () => {
      const log: string[] = [];
      const left = new Promise<void>((resolve) => {
        const source = (signal: AbortSignal): AsyncIterable<string> => {
          signal.addEventListener("abort", () => log.push("abort"));
          const iterator = {
            next: () => new Promise<IteratorResult<string>>(() => {}),
            return: () => {
              log.push("return");
              resolve();
              return Promise.resolve({ done: true as const, value: undefined });
            },
          };
          return { [Symbol.asyncIterator]: () => iterator };
        };
        void (async () => {
          const leaving = new AbortController();
          const response = await client(streaming(source)).get("/", { signal: leaving.signal });
          leaving.abort();
          await response.text().catch(() => {});
        })();
      });
      await left;
      equal(log, ["abort", "return"]);
    },
  },
];
