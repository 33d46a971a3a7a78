/**
 * The contract as Python applications see it, and what went wrong in the prototype, on each runtime.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Runtime } from "../../server_process.ts";
import { Served, until } from "./served.ts";

const RUNTIMES: readonly Runtime[] = ["node", "deno", "bun"];

describe.each(RUNTIMES)("a Python application on %s", (runtime) => {
  let served: Served;
  beforeAll(async () => {
    served = await Served.start(runtime, "suite:application", { threads: 4, bufferLimit: 100_000 });
  }, 40_000);
  afterAll(() => served?.stop());
  const events = async (): Promise<string[]> => JSON.parse((await served.ask("/events")).text);

  it("20.1 has an environ of latin-1 text whose facts are true", async () => {
    const { text } = await served.ask("/facts?a=%20b", { headers: { "X-Latin": "d\u00e9j\u00e0", Cookie: "a=1" } });
    expect(JSON.parse(text)).toMatchObject({
      REQUEST_METHOD: "GET",
      SCRIPT_NAME: "",
      PATH_INFO: "/facts",
      QUERY_STRING: "a=%20b",
      HTTP_X_LATIN: "d\u00e9j\u00e0",
      HTTP_COOKIE: "a=1",
      "wsgi.version": [1, 0],
      "wsgi.url_scheme": "http",
      "wsgi.multithread": true,
      "wsgi.multiprocess": false,
      "wsgi.run_once": false,
      "wsgi.input_terminated": true,
    });
    expect(JSON.parse(text)).not.toHaveProperty("CONTENT_LENGTH");
  });

  it("20.1 reads its body with every method, and what it does not read is no harm", async () => {
    const body = "abcline one\nlonger line\npqmno\nfirst\nsecond\nxyzrest".padEnd(300_000, "r");
    const expected = [
      "[b'abc', b'line one\\n', b'long', b'e', b'er', [b' line\\n'], b'pqmno\\n', b'fir']",
      300_000 - 32,
      "b''",
      "b''",
      true,
    ];
    for (const size of [300_000, 1000]) {
      const { text } = await served.ask("/read", { method: "POST", body: body.slice(0, size) });
      const [seen, rest, ...more] = JSON.parse(text);
      expect([seen, rest + 300_000 - size, ...more]).toEqual([expected[0], expect.any(Number), ...expected.slice(2)]);
    }
    const unread = await served.ask("/unread", { method: "POST", body: "u".repeat(3_000_000) });
    expect([unread.status, unread.text]).toEqual([200, "unread"]);
    const chunked = { "Transfer-Encoding": "chunked" };
    const parts = Array.from({ length: 50 }, () => "c".repeat(100_000));
    expect((await served.ask("/count", { method: "POST", headers: chunked, body: parts })).text).toBe("5000000");
    const facts = await served.ask("/facts", { method: "POST", headers: chunked, body: ["abc", "de"] });
    expect(JSON.parse(facts.text).CONTENT_LENGTH).toBe("5");
  });

  it("20.1 write(), exc_info, wsgi.errors, file_wrapper and lengths", async () => {
    expect((await served.ask("/write")).text).toBe("one two three");
    const replaced = await served.ask("/replaced");
    expect([replaced.status, replaced.text, replaced.headers["content-length"]]).toEqual([418, "teapot", "6"]);
    expect((await served.ask("/errors")).text).toBe("ok");
    await until("wsgi.errors", () => served.process.stderr.includes("half line: \u20ac\na\nb"));
    expect((await served.ask("/wrapped")).bytes.length).toBe(199_995);
    expect((await served.ask("/longer")).text).toBe("abc");
    await until("a line about it", () => served.process.stderr.includes("longer than its Content-Length"));
    await expect(served.ask("/shorter")).resolves.toMatchObject({ complete: false });
    const values = [
      "status",
      "name",
      "value",
      "wide",
      "hop",
      "wide-status",
      "space",
      "informational",
      "number",
      "Status",
    ];
    for (const kind of [...values, "dash", "lengths", "length"]) {
      expect([kind, (await served.ask(`/bad?${kind}`)).text]).toEqual([kind, "ValueError"]);
    }
    const odd = await served.ask("/bad?odd");
    expect([odd.status, odd.text, odd.headers.a, odd.headers.server]).toEqual([
      777,
      "accepted",
      "d\u00e9j\u00e0",
      "mine",
    ]);
    for (const kind of ["tuple", "list", "bytes"]) {
      expect([kind, (await served.ask(`/bad?${kind}`)).text]).toEqual([kind, "TypeError"]);
    }
    const head = await served.ask("/big?70000", { method: "HEAD" });
    expect([head.headers["content-length"], head.bytes.length]).toEqual(["70000", 0]);
  });

  it("20.1 sends each block when it is there, and errors behind the head cut the response", async () => {
    for (const [path, second] of [["/stream", "second\n"], ["/too-late", undefined]]) {
      const socket = await served.open(`GET ${path}?${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      let text = "";
      socket.setEncoding("latin1").on("data", (part) => text += part).on("error", () => {});
      await until("the first block", () => /first|begun/.test(text));
      const closed = new Promise((resolve) => socket.once("close", resolve));
      await served.ask(`/release?${path}`);
      await closed;
      if (second === undefined) expect(text).not.toMatch(/never|Oops|\r\n0\r\n/);
      else expect(text).toMatch(/second\n\r\n0\r\n\r\n$/);
    }
    await until("the traceback", () => served.process.stderr.includes("ValueError: too late"));
  });

  it("20.4 every response of many at once is that of its own request", async () => {
    const wrong: string[] = [];
    let next = 0;
    await Promise.all(Array.from({ length: 16 }, async () => {
      while (next < 400) {
        const id = String(next++);
        const { text, headers } = await served.ask(`/id?${id}`);
        const expected = Array.from({ length: Number(id) % 5 + 1 }, (_, i) => `${id}:${i}\n`.repeat(50)).join("");
        if (text !== expected || headers["x-id"] !== id) wrong.push(id);
      }
    }));
    expect(wrong).toEqual([]);
  });

  it("20.4 clients that leave during a response end it, and close() is called; the process lives on", async () => {
    const { pids } = served.told;
    await Promise.all(Array.from({ length: 8 }, async (_, i) => {
      const socket = await served.open(`GET /endless?${i} HTTP/1.1\r\nHost: a\r\n\r\n`);
      await new Promise((resolve) => socket.once("data", resolve));
      socket.destroy();
    }));
    await until("close()", async () => (await events()).filter((event) => event.startsWith("closed")).length === 8);
    const { pid } = JSON.parse((await served.ask("/facts")).text);
    expect(pids).toEqual([pid]);
  });

  it("20.5 a client that leaves with the whole response has not left: the application runs to its end", async () => {
    await Promise.all(["a", "b", "c"].map(async (name) => {
      const socket = await served.open(`GET /after-length?${name} HTTP/1.1\r\nHost: a\r\n\r\n`);
      let text = "";
      socket.setEncoding("latin1").on("data", (part) => text += part);
      await until("the whole response", () => text.endsWith("all\n"));
      socket.destroy();
    }));
    for (const name of ["a", "b", "c"]) await served.ask(`/release?${name}`);
    await until("the ends", async () => (await events()).filter((event) => event.startsWith("finished")).length === 3);
    // Clients that leave with the last byte cost no connection to a thread, nor a process.
    for (let i = 0; i < 10; i++) {
      await Promise.all(Array.from({ length: 10 }, async () => {
        const socket = await served.open("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
        await new Promise((resolve) => socket.once("data", resolve));
        socket.destroy();
      }));
    }
    const answers = await Promise.all(Array.from({ length: 8 }, () => served.ask("/nap?0.2")));
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(served.told.pids.map(String)));
  });

  it("20.4 close() delays neither its response nor the requests behind it", async () => {
    for (let i = 0; i < 2; i++) {
      const start = performance.now();
      expect((await served.ask("/slow-close")).text).toBe("quick");
      await Promise.all(Array.from({ length: 3 }, () => served.ask("/")));
      expect(performance.now() - start).toBeLessThan(900);
    }
    await until(
      "the ends of close()",
      async () => (await events()).filter((event) => event === "slow close").length === 2,
    );
  });

  it("20.4 SystemExit ends its request only, and other threads may write to wsgi.errors", async () => {
    const before = served.told.pids;
    for (let i = 0; i < 6; i++) expect((await served.ask("/exit")).status).toBe(500);
    for (let i = 0; i < 6; i++) expect((await served.ask("/background")).text).toBe("x".repeat(500));
    expect([JSON.parse((await served.ask("/facts")).text).pid]).toEqual(before);
    await until("the traceback", () => served.process.stderr.includes("SystemExit: 4"));
  });

  it("20.2 slow clients hold no thread, neither with their uploads nor with their downloads", async () => {
    const up = "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n" + "u".repeat(200_000);
    const down = "GET /big?16000000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const sockets = await Promise.all([...Array(6).fill(up), ...Array(6).fill(down)].map((text) => served.open(text)));
    for (const socket of sockets) socket.pause();
    await until("a free thread", async () => (await served.ask("/")).status === 200);
    for (let i = 0; i < 10; i++) {
      const start = performance.now();
      await served.ask("/");
      expect(performance.now() - start).toBeLessThan(1000);
    }
    // Each slow response is whole in the end, though most of it was in a file.
    const lengths = await Promise.all(
      sockets.slice(6).map((socket) =>
        new Promise<number>((resolve) => {
          let length = 0;
          let right = true;
          let body = 0;
          socket.on("data", (bytes: Buffer) => {
            const from = length === 0 ? bytes.indexOf("\r\n\r\n") + 4 : 0;
            for (let i = from; i < bytes.length; i += 997) right &&= bytes[i] === ((body + i - from) & 255);
            body += bytes.length - from;
            length += bytes.length;
          });
          socket.once("close", () => resolve(right ? body : -1)).resume();
        })
      ),
    );
    expect(lengths).toEqual(Array(6).fill(16_000_000));
    for (const socket of sockets) socket.destroy();
  }, 20_000);
});
