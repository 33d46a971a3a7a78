/**
 * An HTTP server in front of the test client, so that the behaviour suite can test the client. It reads raw requests from
 * sockets, makes them with the client, and writes the results as HTTP/1.1.
 *
 * It supports only what the suite needs: one request at a time on a connection, Content-Length and chunked bodies,
 * keep-alive, Date. Its own decisions concern the wire, and cases about these are left out (`client.test.ts`).
 *
 * @module
 */

import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import type { Interim, TestClient, TestResponse } from "../../testing/mod.ts";

const DRAIN_LIMIT = 262144; // bytes of a body that the application left
const REFUSED = new Set([400, 408, 413, 414, 417, 431, 500, 501, 505]); // behind these the connection closes

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");

/** The bytes of one connection, taken piece by piece. */
class Incoming {
  #bytes: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => {};
  readonly #socket: Socket;
  /** Called when the client has gone, or half of it. */
  onGone: (reset: boolean) => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => {
      this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
      socket.pause();
      this.#wake();
    });
    const over = (reset: boolean): void => {
      this.#ended = true;
      this.#wake();
      this.onGone(reset);
    };
    socket.on("end", () => over(false));
    socket.on("error", () => over(true));
    socket.on("close", () => over(true));
  }

  async #more(): Promise<boolean> {
    if (this.#ended) return false;
    this.#socket.resume();
    await new Promise<void>((resolve) => this.#wake = resolve);
    return true;
  }

  /** Text up to `mark`, which is taken too; null when the client ends before. */
  async until(mark: string): Promise<string | null> {
    for (let at = this.#bytes.indexOf(mark);; at = this.#bytes.indexOf(mark)) {
      if (at >= 0) {
        const text = this.#bytes.toString("latin1", 0, at);
        this.#bytes = this.#bytes.subarray(at + mark.length);
        return text;
      }
      if (!await this.#more() && this.#bytes.indexOf(mark) < 0) return null;
    }
  }

  /** `count` bytes, as they come; throws when the client ends before. */
  async *take(count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0;) {
      if (this.#bytes.length === 0 && !await this.#more() && this.#bytes.length === 0) {
        throw new Error("FIN in the body");
      }
      const part = this.#bytes.subarray(0, left);
      this.#bytes = this.#bytes.subarray(part.length);
      left -= part.length;
      if (part.length > 0) yield Uint8Array.from(part);
    }
  }

  /** A chunked body. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const size = parseInt(await this.until("\r\n") ?? "", 16);
      if (Number.isNaN(size)) throw new Error("A bad chunk");
      yield* this.take(size);
      if (await this.until("\r\n") === null) throw new Error("FIN in the body");
      if (size === 0) return;
    }
  }

  /** Goes on reading, so that the end of the client is seen. */
  watch(): void {
    this.#socket.resume();
  }
}

async function serve(socket: Socket, client: TestClient): Promise<void> {
  const incoming = new Incoming(socket);
  for (;;) {
    const head = await incoming.until("\r\n\r\n");
    if (head === null) return void socket.end();
    const [line = "", ...fields] = head.split("\r\n");
    const [method = "", target = "", protocol = ""] = line.split(" ");
    const headers = fields.map((field): [string, string] => {
      const colon = field.indexOf(":");
      return [field.slice(0, colon), field.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "")];
    });
    const value = (name: string): string | undefined => headers.find(([n]) => n.toLowerCase() === name)?.[1];
    const length = value("content-length");
    const chunked = value("transfer-encoding") !== undefined;
    const parts = chunked ? incoming.chunks() : length === undefined ? null : incoming.take(Number(length));
    // Without a return(): what the application leaves is drained below.
    const body = parts === null ? null : { [Symbol.asyncIterator]: () => ({ next: () => parts.next() }) };

    const gone = new AbortController();
    let response: TestResponse | undefined;
    let streaming = false;
    incoming.onGone = (reset) => {
      if (response === undefined && reset) gone.abort(new Error("The client is gone"));
      else if (reset || streaming) response?.cancel();
    };
    if (body === null) incoming.watch();
    const onInterim = ({ status, headers }: Interim): void => {
      const text = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
      socket.write(latin1(`HTTP/1.1 ${status}\r\n${text}\r\n`));
    };
    try {
      response = await client.request(target, {
        method,
        headers,
        protocol,
        environ: { REMOTE_PORT: String(socket.remotePort) },
        signal: gone.signal,
        onInterim,
        ...(body === null ? {} : { body }),
      });
    } catch {
      return void socket.destroy();
    }
    const asked = (value("connection") ?? "").toLowerCase();
    const sized = response.headers.has("content-length");
    const bodyless = method === "HEAD" || response.status === 204 || response.status === 304;
    const http11 = protocol !== "HTTP/1.0";
    const tooMuch = Number(length ?? 0) > DRAIN_LIMIT && response.status === 200;
    const stays = !REFUSED.has(response.status) && !tooMuch && !asked.includes("close") &&
      (http11 || (asked.includes("keep-alive") && (sized || bodyless)));
    const out = [...response.headers];
    if (!sized && !bodyless && http11) out.push(["Transfer-Encoding", "chunked"]);
    if (!response.headers.has("date")) out.push(["Date", new Date().toUTCString()]);
    if (!stays) out.push(["Connection", "close"]);
    else if (!http11) out.push(["Connection", "keep-alive"]);
    const text = out.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    socket.write(latin1(`HTTP/1.1 ${response.status} ${response.reason}\r\n${text}\r\n`));
    streaming = true;
    try {
      for await (const block of response) {
        const frame = !sized && http11 ? [latin1(`${block.length.toString(16)}\r\n`), block, latin1("\r\n")] : [block];
        if (!socket.write(Buffer.concat(frame)) && !socket.destroyed) await once(socket, "drain").catch(() => {});
      }
    } catch {
      return void socket.resetAndDestroy();
    }
    streaming = false;
    if (!sized && !bodyless && http11) socket.write(latin1("0\r\n\r\n"));
    if (!stays || !await drained(parts)) return void socket.end();
  }
}

/** Reads the rest of a body, unless it is too long. */
async function drained(parts: AsyncIterable<Uint8Array> | null): Promise<boolean> {
  let count = 0;
  try {
    for await (const part of parts ?? []) if ((count += part.length) > DRAIN_LIMIT) return false;
    return true;
  } catch {
    return false;
  }
}

/** A front that listens. */
export interface Front {
  readonly port: number;
  /** Stops listening and cuts what is open. */
  stop(): void;
}

/** Serves a client on a free port of this machine. */
export async function front(client: TestClient): Promise<Front> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    serve(socket, client).catch(() => socket.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = (): void => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port: (server.address() as AddressInfo).port, stop };
}
