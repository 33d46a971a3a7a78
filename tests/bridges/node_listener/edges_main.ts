/**
 * Listeners at the edges of what the contract allows, by the first segment of the path.
 */

import { Buffer } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { fromNodeListener } from "../../../bridges/node_listener.ts";
import { serve } from "../../../mod.ts";

type Listener = (req: IncomingMessage, res: ServerResponse) => unknown;

/** The events, which the client can request. */
const events: unknown[] = [];
const sockets = new WeakSet<object>();

function noting(name: string, req: IncomingMessage, res: ServerResponse): void {
  for (const event of ["aborted", "close"]) req.on(event, () => events.push(`${name} req ${event}`));
  req.on("error", (error: NodeJS.ErrnoException) => events.push(`${name} req error ${error.code}`));
  for (const event of ["finish", "close"]) res.on(event, () => events.push(`${name} res ${event}`));
}

const listeners: Readonly<Record<string, Listener>> = {
  events: (_req, res) => void res.end(JSON.stringify(events)),
  hints: (_req, res) => {
    res.writeEarlyHints({ link: "</a.css>; rel=preload", "x-more": "m" });
    res.end("hinted");
  },
  socket: (req, res) => {
    const known = sockets.has(req.socket);
    sockets.add(req.socket);
    const own = res as ServerResponse & { mark?: number };
    own.mark = (own.mark ?? 0) + 1;
    res.end(`${known} ${own.mark}`);
  },
  longer: (_req, res) => {
    res.setHeader("Content-Length", 3);
    res.end("abcdef");
  },
  shorter: (_req, res) => {
    res.setHeader("Content-Length", 30);
    res.end("abcdef");
  },
  upload: (req, res) => {
    noting("upload", req, res);
    let size = 0;
    req.on("data", (chunk) => size += chunk.length).on("end", () => res.end(String(size)));
  },
  "rejects-after-write": async (_req, res) => {
    res.write("part");
    await pause(10);
    throw new Error("after a write");
  },
  "rejects-after-end": async (_req, res) => {
    res.end("whole");
    await pause(1);
    throw new Error("after the end");
  },
  "throws-after-end": (_req, res) => {
    res.end("whole");
    throw new Error("behind the end");
  },
  "throws-after-write": (_req, res) => {
    res.write("part");
    throw new Error("behind a write");
  },
  final101: (_req, res) => void res.writeHead(101).end(),
  "writes-to-socket": (req, res) => {
    try {
      req.socket.write("HTTP/1.1 200 OK\r\n\r\n");
    } catch (error) {
      res.end((error as Error).message);
    }
  },
  flood: async (req, res) => {
    noting("flood", req, res);
    let written = 0;
    res.on("close", () => events.push(["flooded", written]));
    while (!res.destroyed) {
      written++;
      if (res.write(Buffer.alloc(1024 * 1024))) continue;
      await Promise.race(["drain", "close"].map((event) => new Promise((resolve) => res.once(event, resolve))));
    }
  },
  "never-read": async (req, res) => {
    await pause(50);
    res.end(String(req.readableLength));
  },
};

const app = fromNodeListener((req: IncomingMessage, res: ServerResponse) => {
  const listener = listeners[(req.url ?? "").slice(1)];
  if (listener === undefined) throw new Error(`no ${req.url}`);
  return listener(req, res);
});

const options = { port: 0, hostname: "127.0.0.1", limitRequestBody: 1_000_000, onListen: () => {} };
const server = await serve(app, options);
console.log(`port ${server.address.port}`);
