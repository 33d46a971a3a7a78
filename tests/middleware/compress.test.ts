/**
 * `compress` and `conditionalGet` through real servers, between validators, on each runtime.
 *
 * @module
 */

import { brotliDecompressSync, createGunzip, gunzipSync, inflateSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it, test } from "vitest";
import { compress, conditionalGet } from "../../middleware/mod.ts";
import type { ApplicationFunction } from "../../mod.ts";
import { client } from "../../testing/mod.ts";
import { Client } from "../behaviour/client.ts";
import { bytesOf, field, textOf, type WireResponse } from "../behaviour/response.ts";
import { ServerProcess } from "../server_process.ts";

const LONG = "a long line of text that compresses well\n".repeat(100);
const DECODERS = { br: brotliDecompressSync, gzip: gunzipSync, deflate: inflateSync };

describe.each(["node", "deno", "bun"] as const)("19. compress and conditionalGet, %s", (runtime) => {
  let server: ServerProcess;
  let port: number;

  beforeAll(async () => {
    const options = { flags: ["--allow-net"] };
    server = await ServerProcess.start(runtime, "tests/middleware/programs/wrapped.ts", /^port (\d+)$/m, options);
    port = Number(server.ready[1]);
  });

  afterAll(() => server.stop());

  async function ask(path: string, headers: Record<string, string> = {}, method = "GET"): Promise<WireResponse> {
    const client = await Client.connect(port);
    try {
      await client.request(method, path, { headers: Object.entries(headers) });
      return await client.response();
    } finally {
      client.dispose();
    }
  }

  it.each(["br", "gzip", "deflate"] as const)("%s: fields and octets", async (coding) => {
    const response = await ask("/length", { "Accept-Encoding": coding });
    expect(DECODERS[coding](bytesOf(response)).toString()).toBe(LONG);
    expect(response.received).toBeLessThan(LONG.length / 4);
    expect([field(response, "content-encoding"), field(response, "vary")]).toEqual([coding, "Accept-Encoding"]);
    expect([field(response, "content-length"), field(response, "accept-ranges")]).toEqual([undefined, undefined]);
  });

  const compressed: [path: string, text: string, chunks: number][] = [
    ["/long", LONG, 1],
    ["/pieces", LONG, 2],
    ["/bare", LONG, 1],
    ["/late", LONG + LONG, 3],
    ["/promised", LONG, 1],
    ["/stream", LONG, 2],
    ["/nothing", "", 1],
    ["/closes", LONG, 1],
    ["/replaced", LONG, 1],
  ];
  it.each(compressed)("%s is compressed, a block for a block", async (path, text, chunks) => {
    const response = await ask(path, { "Accept-Encoding": "gzip" });
    expect(field(response, "content-encoding")).toBe("gzip");
    expect(gunzipSync(bytesOf(response)).toString()).toBe(text);
    expect(response.chunks).toHaveLength(chunks);
  });

  const plain: [path: string, headers?: Record<string, string>, method?: string][] = [
    ...["short", "shortLength", "empty", "write", "encoded", "noTransform", "events", "image", "lateImage", "untyped"]
      .map((name): [string] => [`/${name}`]),
    ["/range"],
    ["/long", { "Accept-Encoding": "gzip;q=0, br;q=0" }],
    ["/long", { "Accept-Encoding": "" }],
    ["/long", { "Accept-Encoding": "zstd" }],
  ];
  it.each(plain)("%s %j %s passes as it is", async (path, headers = {}, method = "GET") => {
    const through = await ask(path, { "Accept-Encoding": "gzip, br", ...headers }, method);
    const direct = await ask(path, {}, method);
    expect(field(through, "content-encoding")).toBe(path === "/encoded" ? "gzip" : undefined);
    expect([through.status, textOf(through), through.framing]).toEqual([direct.status, textOf(direct), direct.framing]);
  });

  it.each(["length", "file", "long", "pieces", "stream", "short", "image", "tagged", "write"])(
    "HEAD /%s has the fields of GET",
    async (name) => {
      const fieldsOf = (response: WireResponse): (string | undefined)[] =>
        ["content-encoding", "vary", "etag", "content-type"].map((one) => field(response, one));
      const headers = { "Accept-Encoding": "gzip" };
      const get = await ask(`/${name}`, headers);
      const head = await ask(`/${name}`, headers, "HEAD");
      expect([head.status, ...fieldsOf(head)]).toEqual([get.status, ...fieldsOf(get)]);
      expect([undefined, field(get, "content-length")]).toContain(field(head, "content-length"));
    },
  );

  it("Vary is there for every client, where compression depends on it", async () => {
    expect(field(await ask("/long"), "vary")).toBe("Accept-Encoding");
    expect(field(await ask("/tagged"), "vary")).toBe("Cookie, Accept-Encoding");
    expect(field(await ask("/image"), "vary")).toBeUndefined();
  });

  it("a block can be decompressed before the next one is there", async () => {
    const client = await Client.connect(port);
    const key = `key-${runtime}`;
    await client.request("GET", `/slow/${key}`, { headers: [["Accept-Encoding", "gzip"]] });
    const response = await client.head();
    let text = "";
    const gunzip = createGunzip().on("data", (part: Buffer) => text += part.toString());
    let fed = 0;
    const feed = (): boolean => {
      for (; fed < response.pieces.length; fed++) gunzip.write(response.pieces[fed]);
      return true;
    };
    await expect.poll(() => feed() && text).toBe("first ".repeat(10));
    await ask(`/open/${key}`);
    await client.response();
    await expect.poll(() => feed() && text).toBe("first ".repeat(10) + "second ".repeat(10));
    client.dispose();
  });

  it("close() of the inner body is called once, and a client that leaves causes no report", async () => {
    const before = Number(textOf(await ask("/closed")));
    await ask("/closes", { "Accept-Encoding": "br" });
    await expect.poll(async () => Number(textOf(await ask("/closed")))).toBe(before + 1);
    const client = await Client.connect(port);
    await client.request("GET", `/slow/left-${runtime}`, { headers: [["Accept-Encoding", "br"]] });
    await client.head();
    client.reset();
    await ask(`/open/left-${runtime}`);
    expect(server.stderr).toBe("");
  });

  it("304 where the application's validator matches, and nowhere else", async () => {
    const tagged = await ask("/tagged", { "If-None-Match": '"v1"' });
    expect([tagged.status, field(tagged, "etag"), field(tagged, "set-cookie"), field(tagged, "content-type")])
      .toEqual([304, '"v1"', "a=b", undefined]);
    const weak = await ask("/tagged", { "If-None-Match": 'W/"v1"', "Accept-Encoding": "gzip" });
    expect([weak.status, field(weak, "etag"), field(weak, "content-encoding")]).toEqual([304, 'W/"v1"', undefined]);
    expect((await ask("/tagged", { "If-None-Match": '"v1"' }, "HEAD")).status).toBe(304);
    expect((await ask("/tagged", { "If-None-Match": '"v1"' }, "POST")).status).toBe(200);
    expect((await ask("/tagged", { "If-None-Match": '"v2"' })).status).toBe(200);
    expect((await ask("/missing", { "If-None-Match": '"v1"' })).status).toBe(404);
    expect((await ask("/long", { "If-None-Match": '"v1"' })).status).toBe(200);
    expect((await ask("/dated", { "If-Modified-Since": "Fri, 02 Jan 2026 03:04:05 GMT" })).status).toBe(304);
    expect((await ask("/long", { "If-None-Match": "*" })).status).toBe(200);
  });

  it("errors are those of the application: a 500, and a body that is cut off", async () => {
    expect((await ask("/throws", { "Accept-Encoding": "gzip" })).status).toBe(500);
    const client = await Client.connect(port);
    await client.request("GET", "/breaks", { headers: [["Accept-Encoding", "gzip"]] });
    await client.truncated();
    await expect.poll(() => server.stderr).toMatch(/thrown on purpose[^]*broken on purpose/);
    expect(server.stderr).not.toMatch(/Violation/);
  });
});

describe("19. compress, without a server", () => {
  const run = async (app: ApplicationFunction): Promise<string> => {
    const response = await client(compress()(app)).get("/", { headers: { "Accept-Encoding": "gzip" } });
    return response.status === 500 ? response.log : `${response.status}`;
  };

  const headers = [["Content-Type", "text/plain"]] as const;
  const wrong: [name: string, app: ApplicationFunction, message: RegExp][] = [
    ["a malformed status", (_e, start) => (start("200", headers), ["a"]), /StartResponseError: .*status/],
    ["a malformed header", (_e, start) => (start("200 OK", [...headers, ["A b", "c"]]), ["a"]), /expected a token/],
    [
      "a second call",
      (_e, start) => (start("200 OK", headers), start("200 OK", headers), ["a"]),
      /called a second time/,
    ],
    [
      "one argument",
      (_e, start) => ((start as (...args: never[]) => unknown)(...["200 OK" as never]), ["a"]),
      /expected 2 or 3 arguments, got 1/,
    ],
    ["no call", () => ["a".repeat(2000)], /without a successful call of startResponse/],
    ["no call, a generator", () =>
      (function* () {
        yield "a";
      })(), /without a successful call of startResponse/],
    ["no body", (_e, start) => (start("200 OK", headers), null as unknown as string[]), /returned null/],
    ["a wrong block", (_e, start) => (start("200 OK", headers), [3 as unknown as string]), /expected a block of type/],
    [
      "null as a block",
      (_e, start) => (start("200 OK", headers), [null as unknown as string]),
      /expected a block of type/,
    ],
    ["a wrong block of a generator", (_e, start) => (start("200 OK", headers),
      (function* () {
        yield 3 as unknown as string;
      })()), /expected a block of type/],
  ];
  it.each(wrong)("%s is reported as without it", async (_name, app, message) => {
    expect(await run(app)).toMatch(message);
  });

  test("startResponse with excInfo throws that error once the head is sent", async () => {
    const error = new Error("too late");
    let thrown: unknown;
    const app: ApplicationFunction = async (_environ, startResponse) => {
      await startResponse("200 OK", headers)("a".repeat(2000));
      try {
        startResponse("500 Oops", headers, error);
      } catch (caught) {
        thrown = caught;
      }
      return [];
    };
    const response = await client(compress()(app)).get("/", { headers: { "Accept-Encoding": "gzip" } });
    await response.bytes().catch(() => {});
    expect(thrown).toBe(error);
  });

  test("a generator may replace the head that it has begun", async () => {
    const app: ApplicationFunction = (_environ, startResponse) =>
      (function* () {
        startResponse("200 OK", headers);
        startResponse("500 Oops", headers, new Error("replaced"));
        yield "a".repeat(2000);
      })();
    const response = await client(compress()(app)).get("/", { headers: { "Accept-Encoding": "gzip" } });
    expect([response.status, (await response.text()).length]).toEqual([500, 2000]);
  });

  test("an unknown coding is refused", () => {
    expect(() => compress({ encodings: ["zstd" as "br"] })).toThrow(
      'compress: expected encodings among br, gzip, deflate, got "zstd"',
    );
  });

  test("options", async () => {
    const app: ApplicationFunction = (_environ, startResponse) => (startResponse("200 OK", headers), ["short"]);
    const site = client(compress({ minimum: 0, encodings: ["deflate", "br"] })(app));
    const response = await site.get("/", { headers: { "Accept-Encoding": "br, gzip, deflate" } });
    expect(inflateSync(await response.bytes()).toString()).toBe("short");
  });

  test("the names of wrapped applications are theirs", () => {
    function shop(): string[] {
      return [];
    }
    expect([compress()(shop).name, conditionalGet()(shop).name]).toEqual(["shop", "shop"]);
  });
});
