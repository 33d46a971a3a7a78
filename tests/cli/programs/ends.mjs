// A program that refuses requests once it is told to stop, as Fastify does, and has to clean up behind the close of its
// server. Its first argument says how it ends then. It has what tests/lifecycle/load.ts asks for.
import http from "node:http";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";

const [how] = process.argv.slice(2);
let stopping = false;

const server = http.createServer((request, response) => {
  const { pathname, search, searchParams } = new URL(request.url, "http://h");
  if (stopping) response.statusCode = 503;
  response.setHeader("Content-Type", "text/plain");
  if (pathname === "/wait") setTimeout(() => response.end("waited"), Number(searchParams.get("ms")));
  else response.end(`ok ${search.slice(1)}`);
});

process.on("SIGTERM", async function stop(name, number) {
  stopping = true;
  process.off("SIGTERM", stop);
  await new Promise((resolve) => server.close(resolve));
  await sleep(150);
  console.error("program: cleaned up", name, number, process.listenerCount("SIGTERM"));
  if (how === "exit") process.exit(143);
  if (how === "kill") process.kill(process.pid, name);
});

server.listen(3000);
