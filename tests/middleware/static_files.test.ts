/**
 * staticFiles and sendFile through real servers, behind a validator, on each runtime.
 *
 * @module
 */

import {
  mkdtempSync,
  readdirSync,
  readlinkSync as readLink,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it, test, vi } from "vitest";
import { segmentsOf } from "../../middleware/files/path.ts";
import { type Content, Contents, SMALL, statOf } from "../../middleware/files/content.ts";
import { mount, router, sendFile, staticFiles } from "../../middleware/mod.ts";
import { client } from "../../testing/mod.ts";
import { Client } from "../behaviour/client.ts";
import { bytesOf, field, textOf, type WireResponse } from "../behaviour/response.ts";
import { ServerProcess } from "../server_process.ts";
import { LARGE, MODIFIED, SiteFolder, STYLE } from "./site_folder.ts";

type Way = "plain" | "mounted" | "passing" | "sending";
type Headers = Record<string, string>;

const DATE = MODIFIED.toUTCString();

describe.each(["node", "deno", "bun"] as const)("19. static files, %s", (runtime) => {
  let site: SiteFolder;
  let server: ServerProcess;
  let ports: Record<Way, number>;

  beforeAll(async () => {
    site = new SiteFolder();
    const flags = ["--allow-net", "--allow-read"];
    const program = "tests/middleware/programs/static.ts";
    server = await ServerProcess.start(runtime, program, /^\{.*\}$/m, { flags, args: [site.root] });
    ports = JSON.parse(server.ready[0]) as Record<Way, number>;
  });

  afterAll(async () => {
    await server.stop();
    site.remove();
  });

  /** Sends a target as it is, and waits for the whole response. */
  async function ask(target: string, headers: Headers = {}, way: Way = "plain", method = "GET"): Promise<WireResponse> {
    const client = await Client.connect(ports[way]);
    try {
      await client.request(method, target, { headers: Object.entries(headers) });
      return await client.response();
    } finally {
      client.dispose();
    }
  }

  /** How many descriptors of the server are files of the site. */
  function openFiles(): number {
    return readdirSync(`/proc/${server.pid}/fd`).filter((number) => {
      try {
        return readLink(`/proc/${server.pid}/fd/${number}`).startsWith(site.root);
      } catch {
        return false; // it has just been closed
      }
    }).length;
  }

  it("a small file: its octets, and the fields that describe it", async () => {
    const response = await ask("/hello.txt");
    expect([response.status, textOf(response)]).toEqual([200, "0123456789"]);
    expect(field(response, "content-type")).toBe("text/plain; charset=utf-8");
    expect(field(response, "content-length")).toBe("10");
    expect(field(response, "last-modified")).toBe(DATE);
    expect(field(response, "accept-ranges")).toBe("bytes");
    expect(field(response, "cache-control")).toBe("no-cache");
    expect(field(response, "x-content-type-options")).toBe("nosniff");
    expect(field(response, "etag")).toMatch(/^"[\w-]{27}"$/);
    expect(field(response, "vary")).toBeUndefined();
  });

  const paths: [target: string, status: number, text?: string][] = [
    ["/", 200, "home"],
    ["/index.html", 200, "home"],
    ["/docs/", 200, "docs"],
    ["/empty.txt", 200, ""],
    ["/inside.txt", 200, "0123456789"],
    ["/caf%C3%A9/gr%C3%B6%C3%9Fe%20%E2%82%AC.txt", 200, "umlauts"],
    ["/plain/12:30.txt", 200, "time"],
    ["/plain/up/index.html", 200, "docs"],
    ["/%252e%252e", 200, "a file of this name"],
    ["/hello.txt/", 404],
    ["/hello.txt/x", 404],
    ["/nothing", 404],
    ["/plain/", 404],
    ["/plain", 404],
    ["/caf%E9/x", 404],
    ["//hello.txt", 404],
    ["/.well-known/acme", 404],
    ["/out.txt", 404],
  ];
  it.each(paths)("GET %s gives %i", async (target, status, text) => {
    const response = await ask(target);
    expect(response.status).toBe(status);
    if (text !== undefined) expect(textOf(response)).toContain(text);
  });

  it("a large file: all octets, a range, several ranges, HEAD, 304, 412, 416", async () => {
    const whole = await ask("/large.bin");
    expect(bytesOf(whole).equals(LARGE)).toBe(true);
    const etag = field(whole, "etag") as string;
    expect(etag).toMatch(/^"/);
    for (const [from, to] of [[0, 0], [70_000, 200_000], [299_999, 299_999]] as const) {
      const part = await ask("/large.bin", { Range: `bytes=${from}-${to}`, "If-Range": etag });
      expect([part.status, field(part, "content-range")]).toEqual([206, `bytes ${from}-${to}/300000`]);
      expect(bytesOf(part).equals(LARGE.subarray(from, to + 1))).toBe(true);
    }
    const several = await ask("/large.bin", { Range: "bytes=0-99999,200000-" });
    expectParts(several, [[0, 100_000], [200_000, 300_000]], LARGE);
    const head = await ask("/large.bin", {}, "plain", "HEAD");
    expect([head.status, field(head, "content-length"), field(head, "etag")]).toEqual([200, "300000", etag]);
    for (
      const [headers, status] of [
        [{ "If-None-Match": etag }, 304],
        [{ "If-Modified-Since": DATE }, 304],
        [{ "If-Match": '"other"' }, 412],
        [{ Range: "bytes=300000-" }, 416],
        [{ Range: "bytes=0-1", "If-Range": '"other"' }, 200],
      ] as [Headers, number][]
    ) expect((await ask("/large.bin", headers)).status).toBe(status);
    await expect.poll(openFiles).toBe(0);
  });

  it("a small file: ranges and conditions", async () => {
    const etag = field(await ask("/hello.txt"), "etag") as string;
    const part = await ask("/hello.txt", { Range: "bytes=-3" });
    expect([part.status, textOf(part), field(part, "content-range")]).toEqual([206, "789", "bytes 7-9/10"]);
    expectParts(await ask("/hello.txt", { Range: "bytes=8-,0-1" }), [[8, 10], [0, 2]], Buffer.from("0123456789"));
    const not = await ask("/hello.txt", { "If-None-Match": etag });
    expect([not.status, field(not, "etag"), field(not, "cache-control")]).toEqual([304, etag, "no-cache"]);
    expect(field(not, "content-type")).toBeUndefined();
    const refused = await ask("/hello.txt", { Range: "bytes=10-" });
    expect([refused.status, field(refused, "content-range")]).toEqual([416, "bytes */10"]);
    expect((await ask("/hello.txt", { Range: "bytes=0-1" }, "plain", "HEAD")).status).toBe(200);
    expect((await ask("/empty.txt", { Range: "bytes=0-1" })).status).toBe(200);
  });

  it("descriptors are closed when the client leaves in the middle", async () => {
    const clients = await Promise.all(Array.from({ length: 5 }, () => Client.connect(ports.plain)));
    site.write("huge.bin", new Uint8Array(20_000_000));
    for (const client of clients) {
      client.pause();
      await client.request("GET", "/huge.bin");
    }
    await expect.poll(openFiles).toBe(5);
    for (const client of clients) client.reset();
    await expect.poll(openFiles).toBe(0);
  });

  it("precompressed files by Accept-Encoding, and no stale one", async () => {
    const plain = await ask("/style.css");
    expect([textOf(plain), field(plain, "vary"), field(plain, "content-encoding")])
      .toEqual([STYLE, "Accept-Encoding", undefined]);
    const br = await ask("/style.css", { "Accept-Encoding": "gzip, br" });
    expect([field(br, "content-encoding"), field(br, "vary")]).toEqual(["br", "Accept-Encoding"]);
    expect(field(br, "content-type")).toBe("text/css; charset=utf-8");
    expect(brotliDecompressSync(bytesOf(br)).toString()).toBe(STYLE);
    const gzip = await ask("/style.css", { "Accept-Encoding": "gzip, br;q=0.1" });
    expect(gunzipSync(bytesOf(gzip)).toString()).toBe(STYLE);
    const tags = [plain, br, gzip].map((one) => field(one, "etag"));
    expect(new Set(tags).size).toBe(3);
    const not = await ask("/style.css", { "Accept-Encoding": "br", "If-None-Match": tags[1] as string });
    expect([not.status, field(not, "vary")]).toEqual([304, "Accept-Encoding"]);
    const old = await ask("/old.css", { "Accept-Encoding": "gzip" });
    expect([textOf(old), field(old, "vary")]).toEqual([STYLE, undefined]);
  });

  it("a file that changes is sent anew, also when size and time of modification stay", async () => {
    site.write("change.txt", "first");
    expect(textOf(await ask("/change.txt"))).toBe("first");
    for (const text of ["other", "third"]) {
      site.write("change.txt", text);
      expect(textOf(await ask("/change.txt"))).toBe(text);
    }
    const beside = join(site.root, "beside.txt");
    site.write("beside.txt", "moved");
    renameSync(beside, join(site.root, "change.txt"));
    expect(textOf(await ask("/change.txt"))).toBe("moved");
    rmSync(join(site.root, "change.txt"));
    expect((await ask("/change.txt")).status).toBe(404);
    symlinkSync("../secret.txt", join(site.root, "change.txt"));
    expect((await ask("/change.txt")).status).toBe(404);
  });

  it("other methods are refused, or passed on with all that is not found", async () => {
    const refused = await ask("/hello.txt", {}, "plain", "POST");
    expect([refused.status, field(refused, "allow")]).toEqual([405, "GET, HEAD"]);
    expect(textOf(await ask("/hello.txt", {}, "passing", "POST"))).toBe("inner POST /hello.txt");
    expect(textOf(await ask("/nothing", {}, "passing"))).toBe("inner GET /nothing");
    expect(textOf(await ask("/docs/", {}, "passing"))).toBe("inner GET /docs/");
    expect(textOf(await ask("/.env", {}, "passing"))).toBe("inner GET /.env");
    expect(textOf(await ask("/hello.txt", {}, "passing"))).toBe("0123456789");
  });

  it("a folder without its slash is redirected below SCRIPT_NAME, with the query", async () => {
    const docs = await ask("/app/docs?a=1&b=%20", {}, "mounted");
    expect([docs.status, field(docs, "location")]).toEqual([301, "/app/docs/?a=1&b=%20"]);
    const coded = await ask("/app/caf%C3%A9", {}, "mounted");
    expect([coded.status, field(coded, "location")]).toEqual([301, "/app/caf%C3%A9/"]);
    expect(field(await ask("/docs"), "location")).toBe("/docs/");
    expect((await ask("/app/outside", {}, "mounted")).status).toBe(404);
  });

  it("19.43 so is the mount point itself", async () => {
    const top = await ask("/app?a=1&b=%20", {}, "mounted");
    expect([top.status, field(top, "location")]).toEqual([301, "/app/?a=1&b=%20"]);
  });

  it("a list of a folder, if it is on: escaped, without what would be refused", async () => {
    const page = await ask("/app/plain/", {}, "mounted");
    expect([page.status, field(page, "content-security-policy")]).toEqual([200, "default-src 'none'"]);
    expect([...textOf(page).matchAll(/<a href="(.*?)">(.*?)<\/a>/g)].map(([, href, text]) => `${href} ${text}`))
      .toEqual([
        "../ ../",
        "./12%3A30.txt 12:30.txt",
        "./a%26b%3Cc%3E.txt a&amp;b&lt;c&gt;.txt",
        "./sub/ sub/",
        "./up/ up/",
      ]);
    expect(textOf(page)).toContain("<title>/app/plain/</title>");
    expect(textOf(await ask("/app/", {}, "mounted"))).toContain("home");
    expect((await ask("/app/outside/", {}, "mounted")).status).toBe(404);
    expect(textOf(await ask("/app/.well-known/acme", {}, "mounted"))).toBe("token");
    expect((await ask("/app/.git/config", {}, "mounted")).status).toBe(404);
  });

  it("sendFile: a file, a range of a large one, links, and 404 for what is no file", async () => {
    expect(textOf(await ask("/hello.txt", {}, "sending"))).toBe("0123456789");
    const part = await ask("/large.bin", { Range: "bytes=1000-1009" }, "sending");
    expect([part.status, bytesOf(part).equals(LARGE.subarray(1000, 1010))]).toEqual([206, true]);
    expect(textOf(await ask("/inside.txt", {}, "sending"))).toBe("0123456789");
    expect((await ask("/nothing", {}, "sending")).status).toBe(404);
    expect((await ask("/docs", {}, "sending")).status).toBe(404);
    expect((await ask("/hello.txt", { "If-None-Match": "*", Range: "bytes=0-1" }, "sending", "POST")).status).toBe(200);
    await expect.poll(openFiles).toBe(0);
  });

  it("the server has reported nothing", () => {
    expect([server.alive, server.stderr]).toEqual([true, ""]);
  });
});

/** Checks a multipart/byteranges body, octet by octet. */
function expectParts(response: WireResponse, spans: readonly (readonly [number, number])[], all: Uint8Array): void {
  expect(response.status).toBe(206);
  const boundary = /^multipart\/byteranges; boundary=([\w-]+)$/.exec(field(response, "content-type") ?? "")?.[1];
  const text = bytesOf(response).toString("latin1");
  const parts = text.split(`--${boundary}`);
  expect([parts[0], parts.at(-1), parts.length]).toEqual(["", "--\r\n", spans.length + 2]);
  for (const [i, [start, end]] of spans.entries()) {
    const [head = "", ...body] = (parts[i + 1] as string).split("\r\n\r\n");
    expect(head).toMatch(/^\r\nContent-Type: [^\r]+\r\nContent-Range: /);
    expect(head.endsWith(`bytes ${start}-${end - 1}/${all.length}`)).toBe(true);
    const octets = Buffer.from(body.join("\r\n\r\n").slice(0, -2), "latin1");
    expect(octets.equals(all.subarray(start, end))).toBe(true);
  }
}

test("19. static files: options", async () => {
  const site = new SiteFolder();
  try {
    const own = client(staticFiles(site.root, {
      immutable: /^assets\//g,
      cacheControl: "max-age=60",
      mediaTypes: { bin: "application/x-own" },
      precompressed: false,
      index: "hello.txt",
    }));
    const cached = async (path: string): Promise<string | null> => (await own.get(path)).headers.get("cache-control");
    expect(await cached("/assets/app-3f9a.js")).toBe("public, max-age=31536000, immutable");
    expect(await cached("/assets/app-3f9a.js")).toBe("public, max-age=31536000, immutable");
    expect(await cached("/style.css")).toBe("max-age=60");
    const style = await own.get("/style.css", { headers: { "Accept-Encoding": "br" } });
    expect([style.headers.get("content-encoding"), style.headers.get("vary")]).toEqual([null, null]);
    const large = await own.get("/large.bin");
    expect(large.headers.get("content-type")).toBe("application/x-own");
    expect((await large.bytes()).length).toBe(LARGE.length);
    expect(await (await own.get("/")).text()).toBe("0123456789");
    expect((await client(staticFiles(site.root, { cacheControl: false })).get("/")).headers.has("cache-control")).toBe(
      false,
    );
    expect(() => staticFiles(join(site.root, "hello.txt"))).toThrow(
      /expected a folder that this process may read, got \//,
    );
    expect(() => staticFiles(join(site.root, "missing"))).toThrow("staticFiles: expected a folder");
  } finally {
    site.remove();
  }
});

test("19. static files: the folder may be a link that a release replaces", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tsgi-release-"));
  const [one, two] = [new SiteFolder(), new SiteFolder()];
  try {
    one.write("version.txt", "1");
    two.write("version.txt", "2");
    symlinkSync(one.root, join(folder, "current"));
    const site = client(staticFiles(join(folder, "current")));
    expect(await (await site.get("/version.txt")).text()).toBe("1");
    symlinkSync(two.root, join(folder, "next"));
    renameSync(join(folder, "next"), join(folder, "current"));
    expect(await (await site.get("/version.txt")).text()).toBe("2");
  } finally {
    one.remove();
    two.remove();
    rmSync(folder, { recursive: true });
  }
});

test("19. static files: the octets of small files are kept while the file is the same, 16 MiB of them", () => {
  const site = new SiteFolder();
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 10_000 }); // as if the files had been there for a while
  try {
    const contents = new Contents();
    const load = (name: string): Content | undefined => {
      const path = join(site.root, name);
      const stats = statOf(path);
      return stats && contents.load(path, stats, () => path) as Content | undefined;
    };
    const first = load("hello.txt");
    expect(load("hello.txt")).toBe(first);
    site.write("hello.txt", "9876543210"); // size and time of modification are the same
    expect(Buffer.from(load("hello.txt")?.bytes ?? []).toString()).toBe("9876543210");
    const kept = load("hello.txt");
    for (let i = 0; i < 257; i++) {
      site.write("piece.bin", new Uint8Array(SMALL).fill(i));
      renameSync(join(site.root, "piece.bin"), join(site.root, `piece${i}.bin`));
      expect(load(`piece${i}.bin`)?.bytes?.[9]).toBe(i & 255);
    }
    expect(load("hello.txt")).not.toBe(kept);
    expect(load("piece256.bin")).toBe(load("piece256.bin"));
    vi.setSystemTime(Date.now() - 10_000);
    site.write("now.txt", "now");
    expect(load("now.txt")).not.toBe(load("now.txt"));
  } finally {
    vi.useRealTimers();
    site.remove();
  }
});

test("19. static files: a large file that has just changed has a weak tag, and its date is not trusted", async () => {
  const site = new SiteFolder();
  try {
    site.write("new.bin", LARGE, new Date());
    const one = client(staticFiles(site.root));
    const response = await one.get("/new.bin");
    response.cancel();
    expect(response.headers.get("etag")).toMatch(/^W\/"/);
    const date = response.headers.get("last-modified") as string;
    const part = await one.get("/new.bin", { headers: { Range: "bytes=0-0", "If-Range": date } });
    part.cancel();
    expect(part.status).toBe(200);
    const future = join(site.root, "future.txt");
    writeFileSync(future, "x");
    utimesSync(future, new Date(Date.now() + 1e8), new Date(Date.now() + 1e8));
    const modified = Date.parse((await one.get("/future.txt")).headers.get("last-modified") as string);
    expect(modified).toBeLessThanOrEqual(Date.now());
  } finally {
    site.remove();
  }
});

test("19. static files: a file that becomes shorter while it is sent is cut off, never padded", async () => {
  const site = new SiteFolder();
  try {
    site.write("shrinks.bin", new Uint8Array(3_000_000));
    const response = await client(staticFiles(site.root)).get("/shrinks.bin");
    const blocks = response[Symbol.asyncIterator]();
    await blocks.next();
    site.write("shrinks.bin", new Uint8Array(1000));
    await expect((async () => {
      while ((await blocks.next()).done !== true);
    })()).rejects.toThrow(/before its Content-Length of 3000000|cut|ended/);
  } finally {
    site.remove();
  }
});

test("19. static files: the names in any path are names, or the path is refused", () => {
  const octets = fc.array(fc.constantFrom(..."/.\\%a:\0 \xc0\xaf\xc3\xa9\xe2\x80\xa4~2e"), { maxLength: 12 });
  fc.assert(
    fc.property(octets, fc.boolean(), (units, windows) => {
      for (const name of segmentsOf(`/${units.join("")}`, ["..", ".", ".well-known"], windows)?.slice(0, -1) ?? []) {
        // deno-lint-ignore no-control-regex
        expect(name).not.toMatch(/^\.|[/\\\x00-\x1f\x7f]|^$/);
      }
    }),
    { numRuns: 2000 },
  );
});

test("19.43 a folder that is mounted without an index is a 404, and one with an index is redirected to its slash", async () => {
  const site = new SiteFolder();
  try {
    for (
      const [options, status, location] of [
        [{}, 301, "/caf%C3%A9/?a=1"],
        [{ index: "none.html", listing: true }, 301, "/caf%C3%A9/?a=1"],
        [{ index: false }, 404, null],
      ] as const
    ) {
      const files = staticFiles(site.root, options);
      for (const app of [mount({ "/caf\u00e9": files }), router().mount("/caf\u00e9", files)]) {
        const response = await client(app).get("/caf%C3%A9?a=1");
        expect([response.status, response.headers.get("Location")]).toEqual([status, location]);
      }
      // A server without a mount point may give an empty path for its root.
      const root = client((environ, startResponse) => files(Object.assign(environ, { PATH_INFO: "" }), startResponse));
      expect((await root.get("/")).status).toBe(status === 404 ? 404 : 200);
    }
  } finally {
    site.remove();
  }
});

test("19. sendFile: a download, own fields, and a head that startResponse refuses leaks nothing", async () => {
  const site = new SiteFolder();
  try {
    const path = join(site.root, "large.bin");
    const own = client((environ, startResponse) =>
      sendFile(environ, startResponse, path, {
        download: true,
        contentType: "image/x-own",
        cacheControl: "private",
        headers: [["X-Own", "1"]],
      })
    );
    const response = await own.get("/");
    response.cancel();
    expect(Object.fromEntries([...response.headers].map(([name, value]) => [name.toLowerCase(), value]))).toMatchObject(
      {
        "content-disposition": 'attachment; filename="large.bin"',
        "content-type": "image/x-own",
        "cache-control": "private",
        "x-own": "1",
      },
    );
    const replaced = client((environ, startResponse) =>
      sendFile(environ, startResponse, path, {
        headers: [["content-type", "image/x-own"], ["cache-control", "private"], ["Vary", "Cookie"]],
      })
    );
    const fields = ["content-type", "cache-control", "vary"];
    const whole = await replaced.get("/");
    whole.cancel();
    expect(fields.map((name) => whole.headers.get(name))).toEqual(["image/x-own", "private", "Cookie"]);
    const kept = await replaced.get("/", { headers: { "If-None-Match": whole.headers.get("etag") ?? "" } });
    expect([kept.status, ...fields.map((name) => kept.headers.get(name))]).toEqual([304, null, "private", "Cookie"]);
    const open = (): number =>
      readdirSync("/proc/self/fd").filter((number) => {
        try {
          return readLink(`/proc/self/fd/${number}`) === path;
        } catch {
          return false;
        }
      }).length;
    const bad = client((environ, startResponse) =>
      sendFile(environ, startResponse, path, { contentType: "a\r\nb: c" })
    );
    expect((await bad.get("/")).status).toBe(500);
    await expect.poll(open).toBe(0);
  } finally {
    site.remove();
  }
});
