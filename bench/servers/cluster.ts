/**
 * The application of blocking.ts with node:http under node:cluster. The argument is the number of processes. This
 * program chooses the port, because on Bun each process would choose a different one.
 *
 * @module
 */

import cluster from "node:cluster";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createSocket } from "node:net";
import process from "node:process";
import { block } from "./blocking.ts";

const wanted = Number(process.argv[2]);

if (cluster.isPrimary) {
  const socket = createSocket().listen(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address() as AddressInfo;
  socket.close();
  await once(socket, "close");
  let listening = 0;
  cluster.on("listening", () => {
    if (++listening === wanted) console.log(`http://127.0.0.1:${port}/`);
  });
  for (let i = 0; i < wanted; i++) cluster.fork({ PORT: port });
  process.on("SIGTERM", () => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill("SIGKILL");
    process.exit();
  });
} else {
  createServer((request, response) => {
    const text = block(Number(request.url?.slice(1)));
    response.writeHead(200, { "Content-Type": "text/plain", Connection: "close" }).end(text);
  }).listen(Number(process.env["PORT"]), "127.0.0.1");
}
