// A program with a server of TLS behind the first, and a signal that closes the first.
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";

const controller = new AbortController();
createServer((request, response) => {
  response.end("first");
  if (request.url === "/abort") controller.abort();
}).on("close", () => console.error("program: closed")).listen({ port: 3000, signal: controller.signal });
createSecureServer({}).listen(3443, () => console.error("program: with TLS"));
