// A Fastify application, which listens at each address of localhost with a server of its own.
import fastify from "fastify";

const app = fastify();
app.get("/", () => ({ fastify: true }));
console.error(`program: ${await app.listen({ port: 3000 })}`);
