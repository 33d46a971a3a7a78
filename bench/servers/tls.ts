/**
 * Servers with TLS, for bench/tls.ts: `bare` is `node:tls` that answers each read with the same octets, `tsgi` is ours.
 * The second argument is the option `tls` in JSON.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createServer } from "node:tls";
import { serve } from "../../mod.ts";

const [, , which, pair] = process.argv as [string, string, string, string];
const { cert, key } = JSON.parse(pair) as { cert: string; key: string };
const body = "Hello, world\n";

if (which === "tsgi") {
  const server = await serve((_environ, startResponse) => {
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return body;
  }, { port: 0, tls: { cert, key }, onListen: () => {} });
  console.log(`port ${server.address.port}`);
} else {
  const fields = `Content-Type: text/plain\r\nContent-Length: ${body.length}\r\nDate: ${new Date().toUTCString()}`;
  const reply = new TextEncoder().encode(`HTTP/1.1 200 OK\r\n${fields}\r\n\r\n${body}`);
  const options = { cert: readFileSync(cert), key: readFileSync(key), ALPNProtocols: ["http/1.1"], noDelay: true };
  const server = createServer({ ...options, allowHalfOpen: true }, (socket) => {
    socket.on("data", () => void socket.write(reply));
    socket.on("end", () => socket.end());
    socket.on("error", () => socket.destroy());
  });
  server.listen(0, "127.0.0.1", () => console.log(`port ${(server.address() as AddressInfo).port}`));
}
