/**
 * Serves an Express application: with `tsgi` through tsgi, with `native` on the node:http server of `app.listen()`.
 *
 * Usage: RUNTIME express.ts tsgi|native
 *
 * @module
 */

import type { AddressInfo } from "node:net";
import process from "node:process";
import express from "express";
import { HELLO } from "../workloads.ts";
import { ready } from "./jobs.ts";

const app = express();
app.get("/", (_request, response) => void response.type("text/plain").send(HELLO));
app.get("/items/:id", ({ params, query, headers }, response) => {
  response.json({ id: params.id, page: query["page"], agent: headers["user-agent"] });
});
app.post("/", express.raw({ type: () => true }), ({ body }, response) => void response.send(body as Buffer));

const hostname = "127.0.0.1";

if (process.argv[2] === "tsgi") {
  const { serve } = await import("../../mod.ts");
  const { fromNodeListener } = await import("../../bridges/node_listener.ts");
  const onListen = ({ port }: { readonly port: number }): void => ready(port);
  await serve(fromNodeListener(app), { hostname, port: 0, keepAliveTimeout: 60, onListen });
} else {
  const server = app.listen(0, hostname, () => ready((server.address() as AddressInfo).port));
  server.keepAliveTimeout = 60_000;
}
