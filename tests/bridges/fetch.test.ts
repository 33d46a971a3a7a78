/**
 * `fromFetch` on each runtime: what the fetch standard says of requests and responses, seen by a client of raw sockets.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FetchFunction, fromFetch, type FromFetchOptions } from "../../bridges/fetch.ts";
import { Client, type RequestInit } from "../behaviour/client.ts";
import { field, fields, textOf, type WireResponse } from "../behaviour/response.ts";
import { until } from "../lifecycle/cell.ts";
import { type Runtime, ServerProcess } from "../server_process.ts";

const runtimes: readonly Runtime[] = ["node", "deno", "bun"];
const FLAGS = ["--allow-net", "--allow-env", "--allow-read"];
const A: RequestInit["headers"] = [["X-A", "1"], ["Content-Type", "text/plain"]];
const FORM: RequestInit["headers"] = [["Content-Type", "application/x-www-form-urlencoded"]];

type Case = [path: string, init: RequestInit & { method?: string }, body: unknown];

/** What handlers see of requests: a body that is no string is JSON. */
const requests: readonly Case[] = [
  ["/text", { body: "h\u00e9llo" }, "h\u00e9llo"],
  ["/text", { body: "\ufeffmarked" }, "marked"],
  ["/text", { method: "GET" }, ""],
  ["/json", { body: '{"a":[1]}' }, { given: { a: [1] } }],
  ["/bytes", { body: "bytes" }, "bytes"],
  ["/buffer", { body: "x".repeat(100_000) }, "x".repeat(100_000)],
  ["/blob", { body: "blob", headers: A }, [4, "text/plain"]],
  ["/form", { body: "a=b&c=d", headers: FORM }, ["a", "c"]],
  ["/count", { body: "x".repeat(1_000_000) }, "1000000"],
  ["/echo-stream", { body: "x".repeat(500_000) }, "x".repeat(500_000)],
  ["/unread", { body: "x".repeat(1000) }, "not read"],
  ["/body-null", { method: "GET" }, [null, false]],
  ["/used", { body: "text" }, [true, "TypeError", "TypeError"]],
  ["/copy", { body: "text", headers: A }, ["POST", "/copy", "1", "text"]],
  ["/copy", { method: "PUT", body: "text", headers: A }, ["PUT", "/copy", "1", "text"]],
  ["/copy", { method: "GET", headers: A }, ["GET", "/copy", "1", ""]],
  ["/copy-changed", { body: "text", headers: A }, ["POST", "/copy-changed", "changed", "text"]],
  ["/copy-body", { body: "text", headers: A }, ["POST", "/copy-body", "1", "another"]],
  ["/copy-init", { body: "text", headers: A }, ["POST", "/other", "1", "text"]],
  ["/copy-url", { body: "text", headers: A }, ["POST", "/copy-url", "1", "b"]],
  ["/copy-set", { body: "text", headers: A }, ["POST", "/copy-set", "set", "text"]],
  ["/copy-later", { body: "text", headers: A }, ["POST", "/copy-later", "1", "text"]],
  ["/clone", { body: "text" }, ["text", "text", true]],
  ["/forward", { body: "forwarded", headers: A }, "forwarded"],
  ["/proxied", { body: "text", headers: A }, ["POST", "1", "text"]],
  ["/members", { method: "GET" }, ["default", "cors", "follow", "string"]],
  ["/globals", { method: "GET" }, true],
  ["/inspected", { body: "text" }, "[object Headers]"],
];

type Sent = [path: string, status: string, body: string, headers: Record<string, string | undefined>];

/** What clients get of responses. */
const responses: readonly Sent[] = [
  ["/string", "200 OK", "text", { "content-type": "text/plain;charset=utf-8", "content-length": "4" }],
  ["/long", "200 OK", "x".repeat(300_000), {}],
  ["/response-bytes", "200 OK", "bytes", { "content-length": "5" }],
  ["/response-binary", "200 OK", "\ufffd\ufffd", { "content-length": "2", "content-type": undefined }],
  ["/response-buffer", "200 OK", "buffer", { "content-length": "6" }],
  ["/response-blob", "200 OK", "blob", {}],
  ["/response-query", "200 OK", "a=b+c", { "content-length": "5" }],
  ["/response-json", "201 Created", '{"a":1}', { "x-b": "1" }],
  ["/response-null", "200 OK", "", { "content-length": "0" }],
  ["/response-empty", "200 OK", "", { "content-length": "0" }],
  ["/status", "299 All Good", "made", {}],
  ["/teapot", "418 I'm a Teapot", "no", {}],
  ["/204", "204 No Content", "", { "content-length": undefined }],
  ["/205", "205 Reset Content", "", { "content-length": "0" }],
  ["/304", "304 Not Modified", "", { etag: '"a"' }],
  ["/redirect", "302 Found", "", { location: "/elsewhere", "content-length": "0" }],
  ["/hop", "200 OK", "hop", { "keep-alive": undefined, "transfer-encoding": undefined, "content-length": "3" }],
  ["/length", "200 OK", "sized", { "content-length": "5" }],
  ["/nested", "200 OK", "nested", {}],
];

/** Failures that are a clean 500, and what the log says of them. */
const failures: readonly [path: string, logged: RegExp][] = [
  ["/throws", /Error: thrown/],
  ["/rejects", /Error: rejected/],
  ["/error", /Response\.error\(\), which no client can be sent/],
  ["/nothing", /gave undefined; expected a Response/],
  ["/a-string", /gave string "text"; expected a Response/],
  ["/used-body", /used or locked/],
  ["/locked-body", /used or locked/],
  ["/fails-early", /before the head/],
];

/** Targets, and the URL behind the origin. */
const urls: readonly [target: string, url: string][] = [
  ["/a%2Fb/c%20d?e=f%26g", "/a%2Fb/c%20d?e=f%26g"],
  ["/a/../b/./c", "/b/c"],
  ["/a/%2e%2E/b", "/b"],
  ["//double//slash", "//double//slash"],
  ["/caf\u00e9?q=\u00e9", "/caf%E9?q=%E9"],
  ["/a\"b?c='d'", "/a%22b?c=%27d%27"],
  ["http://other.test:81/absolute?q", "/absolute?q"],
  ["/?", "/"],
];

it("16.1 what is no fetch application, and options that are none, are refused", () => {
  for (const wrong of [7, null, {}, { fetch: 7 }]) {
    expect(() => fromFetch(wrong as unknown as FetchFunction)).toThrow(
      /^fromFetch: expected a function from a Request/,
    );
  }
  const handler = (): Response => new Response("");
  for (const wrong of [{ env: 7 }, { lazy: 1 }, { other: 1 }]) {
    expect(() => fromFetch(handler, wrong as unknown as FromFetchOptions)).toThrow(/^Option (?:env|lazy|other): /);
  }
});

describe.each(runtimes)("16.1 %s, with lazy requests", (runtime) => {
  const cases = requests.filter(([path]) => !/^\/copy(?!-init|-url)|^\/forward/.test(path));

  it("all but new Request(request) and fetch(request) works", async () => {
    const options = { flags: FLAGS, args: ["lazy"] };
    const server = await ServerProcess.start(runtime, "tests/bridges/programs/fetch.ts", /^port (\d+)$/m, options);
    try {
      for (const [path, { method = "POST", body, ...init }, expected] of cases) {
        const client = await Client.connect(Number(server.ready[1]));
        const sent = typeof body === "string" ? { ...init, body: new TextEncoder().encode(body) } : init;
        await client.request(method, path, sent);
        const text = textOf(await client.response());
        expect([path, typeof expected === "string" ? text : JSON.parse(text)]).toEqual([path, expected]);
        client.dispose();
      }
    } finally {
      await server.stop();
    }
  });
});

describe.each(runtimes)("%s", (runtime) => {
  let server: ServerProcess;
  let port: number;

  beforeAll(async () => {
    server = await ServerProcess.start(runtime, "tests/bridges/programs/fetch.ts", /^port (\d+)$/m, { flags: FLAGS });
    port = Number(server.ready[1]);
  });
  afterAll(() => server.stop());

  async function ask(method: string, target: string, init: RequestInit = {}): Promise<WireResponse> {
    const client = await Client.connect(port);
    try {
      const { body } = init;
      const sent = typeof body === "string" ? { ...init, body: new TextEncoder().encode(body) } : init;
      await client.request(method, target, sent);
      return await client.response();
    } finally {
      client.dispose();
    }
  }

  const noted = async (): Promise<string[]> => JSON.parse(textOf(await ask("GET", "/log"))) as string[];
  const isNoted = (line: string): Promise<void> => until(line, async () => (await noted()).includes(line));

  it.each(requests)("16.1 request: %s %o", async (path, { method = "POST", ...init }, body) => {
    const response = await ask(method, path, init);
    const text = textOf(response);
    expect([response.status, typeof body === "string" ? text : JSON.parse(text)]).toEqual([200, body]);
  });

  it("16.1 what a handler sees without asking for much", async () => {
    const response = await ask("POST", "/seen", { headers: [["Accept", "*/*"], ...A as []], body: "" });
    expect(JSON.parse(textOf(response))).toEqual({
      instance: true,
      method: "POST",
      accept: "*/*",
      has: [true, false, false],
      all: { "x-a": "1" },
      names: true,
      tag: "[object Request]",
      lazy: true,
    });
  });

  it("16.1 a body of text or bytes is sent without a stream where the runtime shows what it was made of", async () => {
    const known = runtime === "deno" ? ["text", 1, null] : [null, null, null];
    expect(JSON.parse(textOf(await ask("GET", "/whole")))).toEqual(known);
  });

  it("16.1 methods as the fetch standard has them, TRACE too", async () => {
    for (const [sent, seen] of [["post", "POST"], ["Delete", "DELETE"], ["patch", "patch"], ["TRACE", "TRACE"]]) {
      const { method } = JSON.parse(textOf(await ask(sent as string, "/seen")));
      expect([sent, method]).toEqual([sent, seen]);
    }
  });

  it.each(urls)("16.1 url: %s", async (target, url) => {
    const host = target.startsWith("http") ? "other.test:81" : "test.example";
    expect(textOf(await ask("GET", target))).toBe(`http://${host}${url}`);
  });

  it("16.1 url: Host in upper case, with the usual port, and none", async () => {
    const of = async (host: string): Promise<string> => textOf(await ask("GET", "/url", { host }));
    expect(await of("Example.ORG:80")).toBe("http://example.org/url");
    expect(await of("[::1]:8000")).toBe("http://[::1]:8000/url");
    expect(await of("")).toBe(`http://127.0.0.1:${port}/url`);
    expect((await ask("GET", "/url", { host: "a:99999" })).status).toBe(400);
  });

  it.each(responses)("16.1 response: %s", async (path, status, body, headers) => {
    const response = await ask("GET", path);
    expect([`${response.status} ${response.reason}`, textOf(response)]).toEqual([status, body]);
    for (const [name, value] of Object.entries(headers)) {
      expect([name, field(response, name)?.toLowerCase()]).toEqual([name, value]);
    }
  });

  it("16.1 several Set-Cookie stay apart", async () => {
    expect(fields(await ask("GET", "/redirect"), "set-cookie")).toEqual(["a=1; Path=/", "b=2, 3"]);
  });

  it("16.1 response: the type of a Blob", async () => {
    expect(field(await ask("GET", "/response-blob"), "content-type")).toMatch(/^text\/css/);
  });

  it("16.1 response: FormData with its boundary, Response.redirect", async () => {
    const response = await ask("GET", "/response-form");
    const [, boundary] = /boundary=(\S+)/.exec(field(response, "content-type") ?? "") ?? [];
    expect(textOf(response)).toContain(`--${boundary?.replaceAll('"', "")}`);
    const redirect = await ask("GET", "/redirect-static");
    expect([redirect.status, field(redirect, "location")]).toEqual([308, "http://test.example/elsewhere"]);
  });

  it.each(failures)("16.1 failure: %s is a clean 500", async (path, logged) => {
    expect((await ask("GET", path)).status).toBe(500);
    await until("the log", () => logged.test(server.stderr));
  });

  it("16.1 failure: an error in the middle of a stream cuts the connection", async () => {
    const client = await Client.connect(port);
    await client.request("GET", "/fails-late");
    await client.begun("begun");
    await client.truncated();
    client.dispose();
  });

  it("16.1 a stream is seen block by block, and cancelled when its client leaves", async () => {
    const client = await Client.connect(port);
    await client.request("GET", "/stream");
    await client.begun("block\nblock\n");
    client.reset();
    await isNoted("stream cancelled");
  });

  it("16.1 the head of a stream without a block goes out at once; its client's departure is noticed", async () => {
    const client = await Client.connect(port);
    await client.request("GET", "/silent");
    expect((await client.head()).status).toBe(200);
    client.reset();
    await isNoted("silent cancelled");
  });

  it.each(["/text", "/count", "/copy"])("16.1 an upload that is cut off is a 400: %s", async (path) => {
    const client = await Client.connect(port);
    client.reader.expect("POST");
    await client.send(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf`);
    client.finish();
    expect((await client.response()).status).toBe(400);
    client.dispose();
  });

  if (runtime === "bun") {
    it("16.1 response: a file of Bun, with its type; one that is not there is a 500", async () => {
      const response = await ask("GET", "/response-file");
      expect(field(response, "content-type")).toMatch(/^text\/javascript/);
      expect(textOf(response)).toContain("Fetch handlers, one for each path");
      expect((await ask("GET", "/response-no-file")).status).toBe(500);
    });
  }

  it("16.1 HEAD cancels the stream and states no length", async () => {
    const response = await ask("HEAD", "/head");
    expect([response.status, field(response, "x-b"), field(response, "content-length")]).toEqual([200, "1", undefined]);
    await isNoted("head cancelled");
    expect(field(await ask("HEAD", "/length"), "content-length")).toBe("5");
  });

  it("16.1 a client that reads nothing holds the stream up", async () => {
    const client = await Client.connect(port);
    client.pause();
    await client.request("GET", "/fast");
    let before = -1;
    let seen = 0;
    await until("the stream to wait", async () => {
      before = seen;
      seen = Number(textOf(await ask("GET", "/pulled")));
      await new Promise((resolve) => setTimeout(resolve, 100));
      return seen > 0 && seen === before;
    });
    expect(seen).toBeLessThan(32 * 1024 * 1024); // what the system's buffers take
    client.reset();
    await isNoted("fast cancelled");
  });

  it("16.1 request.signal fires when the client leaves, never after success", async () => {
    expect(textOf(await ask("GET", "/signal?done"))).toBe("done");
    const client = await Client.connect(port);
    await client.request("GET", "/signal?wait");
    await until("the handler", async () => (await noted()).filter((line) => line.startsWith("signal")).length === 2);
    client.reset();
    await isNoted("aborted at ?wait");
    expect((await noted()).filter((line) => /^signal|^aborted/.test(line))).toEqual([
      "signal true false",
      "signal true false",
      "aborted at ?wait",
    ]);
  });

  it("16.1 the second argument serves the helpers of Deno, Bun, node and Workers", async () => {
    const client = await Client.connect(port);
    await client.request("GET", "/context");
    const context = JSON.parse(textOf(await client.response()));
    expect(context).toEqual({
      deno: { transport: "tcp", hostname: "127.0.0.1", port: client.port },
      bun: { address: "127.0.0.1", port: client.port, family: "IPv4" },
      node: { remoteAddress: "127.0.0.1", remotePort: client.port, remoteFamily: "IPv4" },
      environ: "127.0.0.1",
      ip: "127.0.0.1",
      binding: "bound",
    });
    client.dispose();
  });

  it("16.1 shutdown waits for the promises of waitUntil, and what they reject with is logged", async () => {
    expect(textOf(await ask("GET", "/background"))).toBe("given");
    server.kill("SIGTERM");
    await until("the end", () => server.output.includes("finished"));
    expect(server.output).toContain('finished ["in the background"]');
    expect(server.stderr).toMatch(/waitUntil: Error: in the background/);
    expect(await server.exited).toEqual({ code: 0, signal: null });
  });
});
