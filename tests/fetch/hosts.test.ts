/**
 * toFetch under Deno.serve and Bun.serve, asked over a socket: what becomes of a target and a Host that no browser sends.
 *
 * A row says what the application sees, or the status where nobody serves the request. Where the two differ, it is
 * because the host does not tell: docs/concepts.md has the table.
 */

import { Buffer } from "node:buffer";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ServerProcess } from "../server_process.ts";

/** What an application sees, or a status. `PORT` stands for the port of the server. */
interface Seen {
  readonly uri?: string;
  readonly path?: string;
  readonly query?: string;
  readonly length?: string | null;
  readonly host?: string | null;
  readonly name?: string;
  readonly port?: string;
  readonly scheme?: string;
  readonly read?: number;
}

type Row = readonly [title: string, request: string, deno: Seen | number, bun: Seen | number];

const H = "HTTP/1.1\r\nHost: a.example:81\r\n\r\n";
const admin = { uri: "/admin?x=1", path: "/admin", query: "x=1", scheme: "http" } as const;
const named = { host: "a.example:81", name: "a.example", port: "81" } as const;
const own = { host: null, port: "PORT", scheme: "http" } as const;
const ABSOLUTE = "https://evil.example:444/p?q";

const rows: readonly Row[] = [
  ["an ordinary request", `GET /admin?x=1 ${H}`, { ...admin, ...named }, { ...admin, ...named }],
  [
    "HTTP/1.0 without Host",
    "GET /admin?x=1 HTTP/1.0\r\n\r\n",
    { ...admin, ...own, name: "localhost" },
    { ...admin, ...own, name: "127.0.0.1" },
  ],
  [
    "an empty Host",
    "GET /admin?x=1 HTTP/1.1\r\nHost:\r\n\r\n",
    { ...admin, ...own, host: "", name: "localhost" },
    { ...admin, ...own, host: "", name: "127.0.0.1" },
  ],
  ...["a/b", "a b", "a?b", "a#b", "u@a", "[::1", "a\\b", "a%zz", "caf\xe9", "/evil"].map((host): Row => [
    `the Host ${JSON.stringify(host)}`,
    `GET /admin?x=1 HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    400,
    400,
  ]),
  ["two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, 400],
  [
    "a target in absolute form",
    `GET ${ABSOLUTE} ${H}`,
    { uri: ABSOLUTE, path: "/p", query: "q", ...named, host: "evil.example:444", scheme: "http" },
    { uri: "/p?q", path: "/p", query: "q", ...named, scheme: "http" },
  ],
  [
    "a target in absolute form, Host the same",
    "GET https://a.example:81/p?q HTTP/1.1\r\nHost: a.example:81\r\n\r\n",
    { uri: "/p?q", path: "/p", query: "q", ...named, scheme: "http" },
    { uri: "/p?q", path: "/p", query: "q", ...named, scheme: "http" },
  ],
  [
    "a target in absolute form, HTTP/1.0 without Host",
    `GET ${ABSOLUTE} HTTP/1.0\r\n\r\n`,
    { uri: "/p?q", path: "/p", query: "q", host: "evil.example:444", name: "localhost", port: "80", scheme: "http" },
    { uri: "/p?q", path: "/p", query: "q", ...own, name: "127.0.0.1" },
  ],
  [
    "a target in absolute form without a path",
    `GET http://evil.example?x ${H}`,
    { uri: "http://evil.example?x", path: "/", query: "x", ...named, host: "evil.example" },
    { uri: "/?x", path: "/", query: "x", ...named },
  ],
  ["a target with user information", `GET http://u@evil.example/ ${H}`, 400, { path: "/", ...named }],
  ["a target with another scheme", `GET ftp://a.example:81/p ${H}`, 400, 400],
  ["a path that looks like a URL", `GET /http://b/c ${H}`, { path: "/http://b/c" }, { path: "/http://b/c" }],
  ["a path with two slashes", `GET //b/c ${H}`, { path: "//b/c", ...named }, { path: "//b/c", ...named }],
  ["an empty query", `GET /x? ${H}`, { uri: "/x?", query: "" }, { uri: "/x?", query: "" }],
  ["a fragment", `GET /x#y ${H}`, 400, 400],
  [
    "octets above 0x7f, in UTF-8",
    `GET /caf\xc3\xa9?\xc3\xa9 ${H}`,
    { uri: "/caf\xc3\xa9?\xc3\xa9", path: "/caf\xc3\xa9", query: "\xc3\xa9" },
    { uri: "/caf%C3%A9?%C3%A9", path: "/caf\xc3\xa9", query: "%C3%A9" },
  ],
  [
    "octets above 0x7f, as escapes",
    `GET /%e9%C3%A9?%e9 ${H}`,
    { uri: "/%e9%C3%A9?%e9", path: "/\xe9\xc3\xa9", query: "%e9" },
    { uri: "/%e9%C3%A9?%e9", path: "/\xe9\xc3\xa9", query: "%e9" },
  ],
  ["octets above 0x7f that are no UTF-8", `GET /\xe9 ${H}`, 400, { path: "/\xef\xbf\xbd" }],
  ["dots", `GET /a/../b//c ${H}`, { path: "/a/../b//c" }, { path: "/b//c" }],
  ["CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 501, 501],
  [
    "a GET with content that the application reads",
    "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    400,
    400,
  ],
  [
    "a GET with chunked content that the application reads",
    "GET /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    400,
    400,
  ],
  [
    "a GET with content that it does not read",
    "GET /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    { length: "3", read: 0 },
    { length: "3", read: 0 },
  ],
  [
    "a GET with Content-Length 0",
    "GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    { length: "0", read: 0 },
    { length: "0", read: 0 },
  ],
  ["a request that takes longer than requestTimeout", "GET /hang HTTP/1.1\r\nHost: a\r\n\r\n", 503, 503],
  [
    "a POST with content",
    "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    { length: "3", read: 3 },
    { length: "3", read: 3 },
  ],
  [
    "a POST with content that it does not read",
    "POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    { length: "3", read: 0 },
    { length: "3", read: 0 },
  ],
];

/** Sends octets, and gives what the application saw, or the status. */
function ask(to: { readonly port: number } | { readonly path: string }, octets: string): Promise<Seen | number> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", ...to }, () => socket.write(Buffer.from(octets, "latin1")));
    let text = "";
    socket.setEncoding("utf8").on("error", reject).on("close", () => reject(new Error(`No answer: ${text}`)));
    socket.on("data", (part) => {
      text += part;
      const [, status, body] = /^HTTP\/1\.[01] (\d+)[^]*?\r\n\r\n([^]*)$/.exec(text) ?? [];
      if (status === undefined || (status === "200" && body?.at(-1) !== "]")) return;
      socket.removeAllListeners("close").destroy();
      if (status !== "200") return resolve(Number(status));
      const [, uri, path, query, length, host, name, port, scheme, read] = JSON.parse(body as string);
      resolve({ uri, path, query, length, host, name, port, scheme, read });
    });
  });
}

describe.each(["deno", "bun"] as const)("%s", (runtime) => {
  const folder = mkdtempSync(join(tmpdir(), "tsgi-fetch-"));
  const socket = join(folder, "a.sock");
  let server: ServerProcess | undefined;
  let port = 0;

  beforeAll(async () => {
    const started = await ServerProcess.start(runtime, "tests/fetch/served.ts", /port (\d+)\./, {
      flags: ["-A"],
      args: [socket],
    });
    server = started;
    port = Number(started.ready[1]);
  });

  afterAll(async () => {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(rows)("14.32 %s", async (_title, request, deno, bun) => {
    const expected = runtime === "deno" ? deno : bun;
    const seen = await ask({ port }, request);
    if (typeof expected === "number") return expect(seen).toBe(expected);
    expect(seen).toMatchObject({ ...expected, ...(expected.port === "PORT" ? { port: String(port) } : {}) });
  });

  it("14.32 over a Unix socket the path is the client's", async () => {
    for (const head of ["GET /admin?x=1 HTTP/1.0\r\n\r\n", `GET /admin?x=1 ${H}`]) {
      expect(await ask({ path: socket }, head)).toMatchObject(admin);
    }
    expect(await ask({ path: socket }, "GET / HTTP/1.0\r\n\r\n")).toMatchObject({ name: "localhost", port: "80" });
  });
});
