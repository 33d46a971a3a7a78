/**
 * Runs the peers that take a fetch handler on Node.js: hono on @hono/node-server, and srvx.
 *
 * They are not dependencies of the project. `bench/peers.ts` installs them into a separate directory and starts this
 * file from there.
 *
 * Usage: node fetch_peer.mjs hono|srvx hello|echo|k64|stream
 */

import process from "node:process";

const [, , peer, job] = process.argv;
const HELLO = "Hello, world!\n";
const big = new Uint8Array(65536).fill(0x78);
const block = new Uint8Array(16384).fill(0x78);
const BYTES = { headers: { "Content-Type": "application/octet-stream" } };

/** What srvx sends chunked unless it is told the length. */
const sized = (body, type) => new Response(body, { headers: { "Content-Type": type, "Content-Length": body.length } });

/** The body of the stream job. */
function stream() {
  let left = 64;
  return new ReadableStream({
    async pull(controller) {
      if (left-- > 0) controller.enqueue(await block);
      else controller.close();
    },
  });
}

const handlers = {
  hello: () => sized(HELLO, "text/plain"),
  echo: async (request) => sized(new Uint8Array(await request.arrayBuffer()), BYTES.headers["Content-Type"]),
  k64: () => sized(big, BYTES.headers["Content-Type"]),
  stream: () => new Response(stream(), BYTES),
};

const listening = (port) => console.log(`listening ${port}`);

if (peer === "hono") {
  const { Hono } = await import("hono");
  const { serve } = await import("@hono/node-server");
  const app = new Hono();
  if (job === "hello") {
    app.get("*", (c) => c.body(HELLO, 200, { "Content-Type": "text/plain" }));
  } else app.all("*", (c) => handlers[job](c.req.raw));
  serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => listening(port));
} else {
  const { serve } = await import("srvx");
  const server = serve({ fetch: handlers[job], hostname: "127.0.0.1", port: 0, silent: true, gracefulShutdown: false });
  await server.ready();
  listening(new URL(server.url).port);
}
