/**
 * The baseline of Node.js: node:http. It has no routes, reads no header, and states the length like our server.
 *
 * @module
 */

import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { HELLO, type Job, K64 } from "../workloads.ts";
import { blocks, job, k64Body, ready } from "./jobs.ts";

const handlers: Readonly<Record<Job, (request: IncomingMessage, response: ServerResponse) => void>> = {
  hello: (_request, response) => {
    response.writeHead(200, { "Content-Type": "text/plain", "Content-Length": HELLO.length });
    response.end(HELLO);
  },
  echo: (request, response) => {
    const parts: Uint8Array[] = [];
    request.on("data", (part: Uint8Array) => parts.push(part));
    request.on("end", () => {
      const body = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      response.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": body.length });
      response.end(body);
    });
  },
  k64: (_request, response) => {
    response.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": K64 });
    response.end(k64Body);
  },
  stream: async (_request, response) => {
    response.writeHead(200, { "Content-Type": "application/octet-stream" });
    for await (const block of blocks()) {
      if (!response.write(block) && !response.destroyed) await once(response, "drain");
    }
    response.end();
  },
};

const server = createServer({ keepAliveTimeout: 60_000 }, handlers[job()]);
server.listen(0, "127.0.0.1", () => ready((server.address() as AddressInfo).port));
