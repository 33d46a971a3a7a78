/**
 * The protocols of web servers over real sockets, TCP and Unix, on each runtime: one request, written by hand.
 */

import { existsSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { scgiRequest } from "../scgi/request.ts";
import { ServerProcess } from "../server_process.ts";
import { uwsgiRequest } from "../uwsgi/request.ts";
import { CELLS, FLAGS, type HostCell } from "./cells.ts";

const VARIABLES = {
  REQUEST_METHOD: "POST",
  PATH_INFO: "/a\xff",
  SERVER_NAME: "www.test",
  REMOTE_ADDR: "192.0.2.7",
} as const;
const BODY = "0123456789";
const SERVED = `POST /a\u00ff www.test 192.0.2.7 ${BODY.length}`;

/** A FastCGI record with contents, as latin-1 text. */
function record(type: number, content: string): string {
  return String.fromCharCode(1, type, 0, 1, content.length >> 8, content.length & 255, 0, 0) + content;
}

function fastcgiRequest(): string {
  const all = { ...VARIABLES, CONTENT_LENGTH: String(BODY.length) };
  const params = Object.entries(all).map(([name, value]) =>
    String.fromCharCode(name.length, value.length) + name + value
  );
  const begin = record(1, "\0\x01\0\0\0\0\0\0");
  return begin + record(4, params.join("")) + record(4, "") + record(5, BODY) + record(5, "");
}

/** Stdout of what a FastCGI application sent. */
function stdoutOf(text: string): string {
  let out = "";
  for (let at = 0; at < text.length;) {
    const [type, length] = [text.charCodeAt(at + 1), text.charCodeAt(at + 4) * 256 + text.charCodeAt(at + 5)];
    if (type === 6) out += text.slice(at + 8, at + 8 + length);
    at += 8 + length + text.charCodeAt(at + 6);
  }
  return out;
}

const PROTOCOLS = [
  {
    protocol: "scgi",
    bytes: scgiRequest(VARIABLES, String(BODY.length)) + BODY,
    start: "Status: 200 OK\r\n",
    read: String,
  },
  {
    protocol: "uwsgi",
    bytes: uwsgiRequest(VARIABLES, String(BODY.length)) + BODY,
    start: "HTTP/1.1 200 OK\r\n",
    read: String,
  },
  { protocol: "fastcgi", bytes: fastcgiRequest(), start: "Status: 200 OK\r\n", read: stdoutOf },
] as const;

/** Sends bytes and gives all that comes back, as latin-1 text. */
function talk(where: { port: number; host: string } | { path: string }, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect({ ...where, allowHalfOpen: true });
    socket.setEncoding("latin1").on("data", (part) => text += part).on("error", reject);
    socket.on("end", () => {
      socket.end();
      resolve(text);
    });
    socket.write(bytes, "latin1");
  });
}

async function withServer(
  [runtime, adapter]: HostCell,
  args: readonly string[],
  use: (port: number) => Promise<void>,
): Promise<void> {
  const [protocol = "", ...rest] = args;
  const server = await ServerProcess.start(runtime, "tests/host/protocols.ts", /^port (\d+)$/m, {
    flags: FLAGS,
    args: [protocol, adapter, ...rest],
  });
  try {
    await use(Number(server.ready[1]));
  } finally {
    await server.stop();
  }
}

describe.concurrent.each(CELLS)("%s, %s", (...cell) => {
  it.each(PROTOCOLS)("$protocol over TCP and over a Unix socket", async ({ protocol, bytes, start, read }) => {
    const expectServed = (text: string): void => {
      expect(read(text).startsWith(start)).toBe(true);
      expect(Buffer.from(read(text).slice(read(text).indexOf("\r\n\r\n") + 4), "latin1").toString()).toBe(SERVED);
    };
    await withServer(cell, [protocol], async (port) => expectServed(await talk({ port, host: "127.0.0.1" }, bytes)));
    const path = join(tmpdir(), `tsgi-protocols-${process.pid}-${cell.join("-")}-${protocol}.sock`);
    await withServer(cell, [protocol, path], async () => expectServed(await talk({ path }, bytes)));
    expect(existsSync(path)).toBe(true); // it was killed, and the next server replaces it
    await withServer(cell, [protocol, path], async () => expectServed(await talk({ path }, bytes)));
  }, 60_000);

  it("U08 F16 who is not among allowIps is turned away, and the next one too", async () => {
    await withServer(cell, ["scgi", "", "192.0.2.1"], async (port) => {
      for (const _ of [1, 2]) {
        expect(await talk({ port, host: "127.0.0.1" }, PROTOCOLS[0].bytes)).toMatch(/^Status: 403 Forbidden\r\n/);
      }
    });
  }, 60_000);
});
