/**
 * The `serve` of the documentation's blocks. A server that a block leaves running gets one request and is shut down.
 *
 * A block names the port that its reader would; here each server takes a free one. PORT, which a block that names none
 * goes by, is 0.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { connect } from "node:net";
import type { Application, Protocol, ServeOptions, Server, TcpAddress } from "../../mod.ts";
import { scgiRequest } from "../scgi/request.ts";
import { uwsgiRequest } from "../uwsgi/request.ts";

type Serve = typeof import("../../mod.ts").serve;

interface Running {
  readonly server: Server;
  readonly protocol: Protocol;
}

const running = new Set<Running>();

/** A `serve` that takes a free port, and remembers its servers until they have ended. */
export function recorded(serve: Serve): Serve {
  const record = async (app: Application, options: ServeOptions = {}): Promise<Server> => {
    const anywhere = <T extends { readonly port?: number }>(one: T): T =>
      one.port === undefined ? one : { ...one, port: 0 };
    const { listen } = options;
    const places = listen === undefined ? {} : { listen: listen.map(anywhere) };
    const server = await serve(app, { ...anywhere(options), ...places });
    const one = { server, protocol: options.protocol ?? "http" };
    running.add(one);
    server.finished.then(() => running.delete(one));
    return server;
  };
  return record as Serve;
}

/**
 * Asks each server that runs, and ends it.
 *
 * @throws {Error} (as a rejection) when one does not answer 200.
 */
export async function askAndEnd(): Promise<void> {
  for (const { server, protocol } of [...running]) {
    try {
      const { port } = server.address as TcpAddress;
      const answer = await ask({ host: "127.0.0.1", port }, protocol);
      if (!isAnswer(answer)) throw new Error(`${protocol}: expected a 200, got ${answer}`);
    } finally {
      await server.shutdown({ timeout: 0 });
    }
  }
}

/**
 * What a server answers to a GET of `/`, as latin-1 text: up to a block of the body if it is a 200, for the body may take
 * its time.
 */
export function ask(to: { host: string; port: number } | { path: string }, protocol: Protocol): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(to, () => socket.write(REQUESTS[protocol], "latin1"));
    let text = "";
    socket.setEncoding("latin1").on("data", (part) => {
      text += part;
      if (isAnswer(text) && /\r\n\r\n[^]/.test(text)) socket.destroy();
    });
    socket.once("error", reject).once("close", () => resolve(text));
  });
}

/** Whether the text of a server begins with a 200. */
export function isAnswer(text: string): boolean {
  return /^HTTP\/1\.1 200 |Status: 200 /.test(text);
}

function fastcgiRecord(type: number, content: string): string {
  return Buffer.from([1, type, 0, 1, content.length >> 8, content.length & 255, 0, 0]).toString("latin1") + content;
}

function fastcgiPair(name: string, value: string): string {
  return String.fromCharCode(name.length, value.length) + name + value;
}

const PAIRS = fastcgiPair("REQUEST_METHOD", "GET") + fastcgiPair("PATH_INFO", "/");

/** A GET of `/` that asks the server to close the connection. */
const REQUESTS: Readonly<Record<Protocol, string>> = {
  http: "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
  scgi: scgiRequest(),
  uwsgi: uwsgiRequest(),
  fastcgi: fastcgiRecord(1, "\0\x01\0\0\0\0\0\0") + fastcgiRecord(4, PAIRS) + fastcgiRecord(4, "") +
    fastcgiRecord(5, ""),
};
