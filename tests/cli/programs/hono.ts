// A Hono application, exported as Bun and Workers take it.
import { Hono } from "hono";

const app: Hono = new Hono();
app.get("/", (context) => context.text("hono"));

export default app;
