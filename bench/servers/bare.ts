/**
 * Bare sockets: they show the cost of a runtime's socket API alone, a lower bound for every server built on it.
 *
 * This program answers each read with the same prepared octets and ignores what it has read, so a request has to arrive
 * in one read. It is not a server, but only the reading, writing and closing of one. The stream is written in pieces of
 * 64 KiB, each when the previous one has been accepted.
 *
 * @module
 */

import process from "node:process";
import { BLOCK, BLOCKS, expected, type Job } from "../workloads.ts";
import { job, ready } from "./jobs.ts";

const closing = process.argv[3] === "close";
const pieces = response(job());
const [whole] = pieces as [Uint8Array];

function response(job: Job): Uint8Array[] {
  const { type, length, body } = expected(job);
  const framing = length === null ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`;
  const fields = [`Content-Type: ${type}`, framing, `Date: ${new Date().toUTCString()}`];
  if (closing) fields.push("Connection: close");
  const head = `HTTP/1.1 200 OK\r\n${fields.join("\r\n")}\r\n\r\n`;
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  if (length !== null) return [bytes(head + body)];
  const four = `${BLOCK.toString(16)}\r\n${body.slice(0, BLOCK)}\r\n`.repeat(4);
  const all = Array.from({ length: BLOCKS / 4 }, () => bytes(four));
  return [bytes(head + four), ...all.slice(2), bytes(`${four}0\r\n\r\n`)];
}

async function node(): Promise<void> {
  const { createServer } = await import("node:net");
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    socket.on("end", () => socket.end());
    let next = 0;
    const goOn = (): void => {
      while (next < pieces.length && socket.write(pieces[next++]!));
    };
    if (closing) socket.on("data", () => void socket.end(whole));
    else if (pieces.length === 1) socket.on("data", () => void socket.write(whole));
    else {
      socket.on("drain", goOn);
      socket.on("data", () => {
        next = 0;
        goOn();
      });
    }
  });
  server.listen(0, "127.0.0.1", () => ready((server.address() as { port: number }).port));
}

interface DenoConn {
  read(memory: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  setNoDelay(on: boolean): void;
}

async function deno(): Promise<void> {
  const { Deno } = globalThis as unknown as {
    Deno: {
      listen(options: { hostname: string; port: number }): {
        readonly addr: { readonly port: number };
        accept(): Promise<DenoConn>;
      };
    };
  };
  const serve = async (conn: DenoConn): Promise<void> => {
    conn.setNoDelay(true);
    const memory = new Uint8Array(4096);
    while (await conn.read(memory) !== null) {
      for (const piece of pieces) {
        for (let at = 0; at < piece.length;) at += await conn.write(at === 0 ? piece : piece.subarray(at));
      }
      if (closing) await conn.closeWrite();
    }
  };
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  ready(listener.addr.port);
  for (;;) {
    const conn = await listener.accept();
    serve(conn).catch(() => {}).finally(() => conn.close());
  }
}

interface BunSocket {
  data: { next: number; at: number };
  write(bytes: Uint8Array, start: number): number;
  shutdown(): void;
  end(): void;
}

function bun(): void {
  const goOn = (socket: BunSocket): void => {
    const { data } = socket;
    while (data.next < pieces.length) {
      const piece = pieces[data.next]!;
      data.at += Math.max(0, socket.write(piece, data.at));
      if (data.at < piece.length) return;
      data.next++;
      data.at = 0;
    }
    if (closing) socket.shutdown();
  };
  const { Bun } = globalThis as unknown as { Bun: { listen(options: unknown): { readonly port: number } } };
  const { port } = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    allowHalfOpen: true,
    socket: {
      binaryType: "uint8array",
      open: (socket: BunSocket) => void (socket.data = { next: 0, at: 0 }),
      data: (socket: BunSocket) => {
        socket.data.next = 0;
        goOn(socket);
      },
      drain: goOn,
      end: (socket: BunSocket) => socket.end(),
      close: () => {},
      error: () => {},
    },
  });
  ready(port);
}

if ("Deno" in globalThis) await deno();
else if ("Bun" in globalThis) bun();
else await node();
