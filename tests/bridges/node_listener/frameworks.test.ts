/**
 * Express, Koa, Fastify, connect and polka over tsgi on each runtime, with the middleware that people add.
 */

import { get } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Runtime, ServerProcess } from "../../server_process.ts";

const FILE = "0123456789".repeat(10_000);
const JSON_5_MIB = JSON.stringify({ x: "a".repeat(5 * 1024 * 1024) });
const AS_JSON = { "Content-Type": "application/json" };

describe.each<Runtime>(["node", "deno", "bun"])("%s", (runtime) => {
  let server: ServerProcess;
  beforeAll(async () => {
    const file = "tests/bridges/node_listener/frameworks_main.ts";
    server = await ServerProcess.start(runtime, file, /^port (\d+)$/m, { flags: ["--allow-all"] });
  });
  afterAll(() => server.stop());

  const url = (path: string): string => `http://127.0.0.1:${server.ready[1]}${path}`;
  const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
    fetch(url(path), { redirect: "manual", ...init });
  const text = async (path: string, init: RequestInit = {}): Promise<string> => await (await ask(path, init)).text();
  const post = (path: string, body: BodyInit, headers: HeadersInit = {}): Promise<string> =>
    text(path, { method: "POST", body, headers, duplex: "half" } as RequestInit);

  /** A body that is sent in pieces, without a length. */
  const streamed = (body: string): ReadableStream<Uint8Array> =>
    new Blob([body]).stream() as unknown as ReadableStream<Uint8Array>;

  describe("16.2 Express", () => {
    it("routes, with helmet's and cors' headers", async () => {
      const response = await ask("/express/hello?name=you");
      expect(await response.text()).toBe("hello you");
      expect(response.headers.get("x-frame-options")).toBe("SAMEORIGIN");
      expect(response.headers.get("access-control-allow-origin")).toBe("http://else.test");
      expect(response.headers.get("content-length")).toBe("9");
    });

    it("knows where it is mounted, and who asks", async () => {
      expect(JSON.parse(await text("/express/where?a=%20b", { headers: { Accept: "application/json" } }))).toEqual({
        ip: "127.0.0.1",
        protocol: "http",
        host: "127.0.0.1",
        url: "/where?a=%20b",
        originalUrl: "/express/where?a=%20b",
        baseUrl: "/express",
        path: "/where",
        xhr: false,
        accepts: "json",
      });
    });

    it("parses bodies: small, of 5 MiB, chunked, of forms, and too large ones", async () => {
      const length = JSON_5_MIB.length;
      expect(JSON.parse(await post("/express/body", '{"x":1}', AS_JSON))).toEqual({ type: "object", length: 7 });
      expect(JSON.parse(await post("/express/body", JSON_5_MIB, AS_JSON))).toEqual({ type: "object", length });
      expect(JSON.parse(await post("/express/body", streamed(JSON_5_MIB), AS_JSON))).toEqual({
        type: "object",
        length,
      });
      expect(JSON.parse(await post("/express/body", new URLSearchParams({ a: "1" })))).toEqual({
        type: "object",
        length: 9,
      });
      expect(await post("/express/body", "{bad", AS_JSON)).toMatch(/^caught .*JSON/);
      const huge = await ask("/express/body", { method: "POST", body: `"${"a".repeat(7_000_000)}"`, headers: AS_JSON })
        .catch(() => undefined); // a client that is still sending may see the connection close first
      if (huge !== undefined) expect(huge.status).toBe(413);
    });

    it("keeps sessions", async () => {
      const first = await ask("/express/count");
      const [cookie = ""] = first.headers.getSetCookie();
      expect(await first.text()).toBe("1");
      expect(await text("/express/count", { headers: { Cookie: cookie.split(";")[0] as string } })).toBe("2");
    });

    it("redirects with two cookies", async () => {
      const response = await ask("/express/redirect");
      expect([response.status, response.headers.get("location")]).toEqual([302, "/hello"]);
      expect(response.headers.getSetCookie()).toEqual(["a=1; Path=/", "b=2; Path=/; HttpOnly"]);
    });

    it("sends files, with ranges, validators and HEAD", async () => {
      const whole = await ask("/express/file", { headers: { "Accept-Encoding": "identity" } });
      expect(await whole.text()).toBe(FILE);
      expect(whole.headers.get("content-length")).toBe("100000");
      const etag = whole.headers.get("etag") as string;
      const part = await ask("/express/file", { headers: { Range: "bytes=5-14", "Accept-Encoding": "identity" } });
      expect([part.status, part.headers.get("content-range"), await part.text()]).toEqual([
        206,
        "bytes 5-14/100000",
        "5678901234",
      ]);
      const validators = { "If-None-Match": etag, "Cache-Control": "max-age=0" }; // else fetch asks for a fresh one
      expect((await ask("/express/file", { headers: validators })).status).toBe(304);
      expect((await ask("/express/file", { headers: { Range: "bytes=999999-" } })).status).toBe(416);
      const head = await ask("/express/file", { method: "HEAD", headers: { "Accept-Encoding": "identity" } });
      expect([head.headers.get("content-length"), await head.text()]).toEqual(["100000", ""]);
      const download = await ask("/express/download");
      expect(download.headers.get("content-disposition")).toContain("filename*=UTF-8''n%C3%A4me.txt");
      expect(await download.text()).toBe(FILE);
    });

    it("compresses", async () => {
      const response = await ask("/express/big", { headers: { "Accept-Encoding": "gzip" } });
      expect(response.headers.get("content-encoding")).toBe("gzip");
      expect(await response.text()).toBe("x".repeat(50_000));
    });

    it("sends events one by one, the head before the first", async () => {
      const seen = await new Promise<string[]>((resolve, reject) => {
        get(url("/express/events"), (response) => {
          const parts = ["head"];
          response.setEncoding("utf8").on("data", (part) => parts.push(part)).on("end", () => resolve(parts));
        }).once("error", reject);
      });
      expect(seen).toEqual(["head", "data: 0\n\n", "data: 1\n\n", "data: 2\n\n"]);
    });

    it("takes uploads", async () => {
      const form = new FormData();
      form.append("note", "n\u00f6te");
      form.append("file", new Blob(["y".repeat(300_000)]), "up.bin");
      expect(JSON.parse(await post("/express/upload", form))).toEqual({
        name: "up.bin",
        size: 300_000,
        fields: { note: "n\u00f6te" },
      });
    });

    it("handles errors of both kinds, and a response that fails in the middle is cut", async () => {
      expect(await text("/express/fails")).toBe("caught sync");
      const rejected = await ask("/express/rejects");
      expect([rejected.status, await rejected.text()]).toEqual([418, "caught async"]);
      await expect(text("/express/fails-late")).rejects.toThrow();
    });

    it("sends any status", async () => {
      for (const code of [200, 226, 451, 599, 700, 999]) {
        const status = await new Promise((resolve, reject) => {
          get(url(`/express/status/${code}`), (response) => resolve(response.resume().statusCode)).once(
            "error",
            reject,
          );
        });
        expect(status).toBe(code);
      }
    });

    it("is logged by morgan", async () => {
      await ask("/express/hello?name=log");
      await expect.poll(() => text("/express/logged")).toContain("GET /express/hello?name=log 200 9\\n");
    });
  });

  describe("16.2 the others", () => {
    it("Koa: JSON, streams, bodies, errors", async () => {
      const response = await ask("/koa/hello?name=k");
      expect([await response.json(), response.headers.get("x-time")]).toEqual([{ hello: "k", ip: "127.0.0.1" }, "1"]);
      expect(await text("/koa/stream")).toBe("one two");
      expect(await post("/koa/body", JSON_5_MIB)).toBe(String(JSON_5_MIB.length));
      expect(await text("/koa/fails")).toBe("Internal Server Error");
      expect((await ask("/koa/none")).status).toBe(404);
    });

    it("Fastify: JSON, bodies, errors", async () => {
      expect(JSON.parse(await text("/fastify/hello?name=f"))).toEqual({ hello: "f", ip: "127.0.0.1" });
      expect(JSON.parse(await post("/fastify/body", JSON_5_MIB, AS_JSON))).toEqual({ length: JSON_5_MIB.length });
      expect(JSON.parse(await post("/fastify/body", streamed(JSON_5_MIB), AS_JSON))).toEqual({
        length: JSON_5_MIB.length,
      });
      expect(JSON.parse(await text("/fastify/fails"))).toMatchObject({ statusCode: 500, message: "fastify" });
      expect((await ask("/fastify/none")).status).toBe(404);
    });

    it("connect with serve-static: files, ranges, mounts, errors", async () => {
      expect(await text("/connect/static/file.txt")).toBe(FILE);
      const part = await ask("/connect/static/file.txt", { headers: { Range: "bytes=-3" } });
      expect([part.status, await part.text()]).toEqual([206, "789"]);
      expect(await text("/connect/inner/a?b=%2F")).toBe("/a?b=%2F /connect/inner/a?b=%2F");
      expect((await ask("/connect/fails")).status).toBe(500);
      expect((await ask("/connect/none")).status).toBe(404);
    });

    it("polka with sirv", async () => {
      expect(await text("/polka/hello/p%20q")).toBe("hello p%20q");
      expect(await text("/polka/static/file.txt")).toBe(FILE);
    });

    it("http-proxy-middleware", async () => {
      expect(await text("/proxy/a?b")).toBe("GET /a?b ");
      const response = await ask("/proxy/c", { method: "POST", body: JSON_5_MIB });
      expect([response.headers.get("x-origin"), await response.text()]).toEqual(["1", `POST /c ${JSON_5_MIB}`]);
      expect(await post("/proxy/d", streamed(JSON_5_MIB))).toBe(`POST /d ${JSON_5_MIB}`);
    });

    it("a listener that throws, or whose promise rejects, is a 500", async () => {
      expect((await ask("/throws")).status).toBe(500);
      expect((await ask("/rejects")).status).toBe(500);
      // The log and the responses come by different pipes.
      await expect.poll(() => server.output).toContain("Error: sync");
      await expect.poll(() => server.output).toContain("Error: async");
    });
  });
});
