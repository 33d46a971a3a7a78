/**
 * An Express application over the wire that the first argument names; as a CGI script where a web server starts it.
 */

import process from "node:process";
import express from "express";
import { fromNodeListener } from "../../../bridges/node_listener.ts";
import { serve, type ServeOptions } from "../../../mod.ts";

const app = express();
app.use(express.text({ type: "*/*", limit: "6mb" }));
app.use((req, res, next) => {
  res.cookie("a", "1").cookie("b", "2");
  res.set("X-Seen", [req.ip, req.hostname, req.protocol, req.socket.localPort, req.httpVersion].join(" "));
  next();
});
app.get("/where/*rest", (req, res) => void res.json([req.url, req.originalUrl, req.baseUrl]));
app.post("/echo", (req, res) => {
  res.write(`${req.headers["transfer-encoding"] ?? req.headers["content-length"]} `);
  setImmediate(() => res.end(req.body));
});

const protocol = process.argv[2] as ServeOptions["protocol"];
const options = protocol === undefined ? {} : { port: 0, hostname: "127.0.0.1", protocol };
const server = await serve(fromNodeListener(app), { ...options, onListen: () => {} });
if (protocol !== undefined) console.log(`port ${server.address.port}`);
