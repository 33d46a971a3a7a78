/**
 * Runs bytes through node's own HTTP server, which uses llhttp, without sockets.
 *
 * @module
 */

import { createServer, type IncomingMessage, type Server } from "node:http";
import { Duplex } from "node:stream";
import { textOf } from "../target.ts";
import { environOf, type Observation, type ObservedRequest } from "./observation.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const MOST_TURNS = 50;

/** The requests and the refusal of a connection. */
export interface Running {
  readonly requests: ObservedRequest[];
  code: string;
}

let next: Running = { requests: [], code: "" };
const notes = new WeakMap<Duplex, Running>(); // a connection may report an error after the next one has begun

/** Begins to note what the next connection does. */
export function noteNext(): Running {
  return next = { requests: [], code: "" };
}

/** A server that notes each request of a connection: see {@linkcode observeNode}. Its parser is strict, as by default. */
export const nodeServer: Server = createServer(
  { insecureHTTPParser: false, keepAliveTimeout: 0 },
  (request, response) => {
    const seen = noted(request);
    let body = "";
    request.on("data", (bytes: Buffer) => void (body += textOf(bytes)));
    request.on("error", () => {}); // the body stays incomplete
    request.on("end", () => {
      seen.body = body;
      seen.trailers = request.rawTrailers;
      response.setHeader("Content-Length", 0); // without it, HTTP/1.0 could not go on
      response.end();
    });
  },
);
nodeServer.on("connection", (socket) => void notes.set(socket, next));
// The socket stays open for now, so that complete requests before the error reach the application.
nodeServer.on("clientError", (error: Error & { code?: string }, socket) => {
  const running = notes.get(socket);
  if (running !== undefined) running.code ||= error.code ?? error.message;
});

function noted(request: IncomingMessage): ObservedRequest {
  const { method = "", url = "", httpVersion, rawHeaders } = request;
  const raw = rawHeaders.flatMap((name, i) => i % 2 === 0 ? [[name, rawHeaders[i + 1] as string] as const] : []);
  const seen = { method, target: url, version: httpVersion, fields: environOf(raw), raw, body: null, trailers: [] };
  notes.get(request.socket)?.requests.push(seen);
  return seen;
}

/** The server's end of a connection in memory. */
class MemorySocket extends Duplex {
  sent = "";
  override _read(): void {}
  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.sent += bytes.toString("latin1");
    done();
  }
  // What an http.Server asks of a socket.
  setTimeout(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
}

/** What node makes of a stream. */
export async function observeNode(bytes: Uint8Array): Promise<Observation> {
  const mine = noteNext();
  const socket = new MemorySocket();
  nodeServer.emit("connection", socket);
  socket.push(Buffer.from(bytes));
  let quiet = 0;
  for (let turns = 0, before = -1; turns < MOST_TURNS && quiet < 3; turns++) {
    await turn();
    const now = socket.sent.length + mine.requests.length + Number(socket.destroyed);
    quiet = now === before ? quiet + 1 : 0;
    before = now;
  }
  const closed = socket.writableEnded || socket.destroyed || mine.code !== "";
  const observation = observationOf(mine, socket.sent, closed);
  socket.destroy();
  await turn();
  return observation;
}

/** The observation from what was noted and sent. Node writes some refusals as responses, without an error. */
export function observationOf({ requests, code }: Running, sent: string, closed: boolean): Observation {
  const statuses = [...sent.matchAll(/^HTTP\/1\.1 ([0-9]{3}) /gm)].map(([, status]) => Number(status));
  const refusal = statuses.find((status) => status >= 400) ?? 0;
  const status = code === "" ? refusal : code === "HPE_HEADER_OVERFLOW" ? 431 : 400;
  const dropped = closed && code === "" && refusal === 0 && statuses.filter((one) => one === 200).length === 0;
  const reason = code !== "" ? code : refusal > 0 ? `status ${refusal}` : dropped ? "dropped" : "";
  return { requests: [...requests], reason, status, closed };
}
