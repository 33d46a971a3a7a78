/** The routes in Fastify. */

import fastify from "fastify";
import { Readable } from "node:stream";
import { FAILURE, receipt, stream } from "./work.ts";

const app = fastify({ bodyLimit: 10 * 1024 * 1024 });
app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
app.get("/hello", (request) => `hello ${request.query.n}`);
app.post("/upload", (request) => receipt(request.body));
app.get("/stream", (request, reply) => reply.send(Readable.fromWeb(stream(request.query.gate))));
app.get("/fail", () => {
  throw new Error(FAILURE);
});
app.get("/cut", (request, reply) => reply.send(Readable.fromWeb(stream(request.query.gate, true))));
app.get("/redirect", (_request, reply) => {
  reply.header("Set-Cookie", "a=1").header("Set-Cookie", "b=2").redirect("/hello?n=1");
});
app.get("/client", (request) => request.ip);

export default app;
