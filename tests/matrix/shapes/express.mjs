/** The routes in Express. */

import express from "express";
import { pipeline, Readable } from "node:stream";
import { FAILURE, receipt, stream } from "./work.ts";

const app = express();
app.get("/hello", (request, response) => response.type("text").send(`hello ${request.query.n}`));
app.post("/upload", express.raw({ type: () => true, limit: "10mb" }), (request, response) => {
  response.type("text").send(receipt(request.body));
});
app.get("/stream", (request, response) => {
  pipeline(Readable.fromWeb(stream(request.query.gate)), response, () => {});
});
app.get("/fail", () => {
  throw new Error(FAILURE);
});
app.get("/cut", (request, response) => {
  pipeline(Readable.fromWeb(stream(request.query.gate, true)), response, () => {});
});
app.get("/redirect", (_request, response) => {
  response.append("Set-Cookie", "a=1");
  response.append("Set-Cookie", "b=2");
  response.redirect("/hello?n=1");
});
app.get("/client", (request, response) => response.type("text").send(request.ip));

export default app;
