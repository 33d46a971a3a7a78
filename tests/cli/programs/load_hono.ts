// A Hono application with what tests/lifecycle/load.ts asks for.
import { Hono } from "hono";

const app: Hono = new Hono();
const ok = (url: string): string => `ok ${new URL(url).search.slice(1)}`;
app.get("/", (context) => context.text(ok(context.req.url)));
app.get("/ok", (context) => context.text(ok(context.req.url)));
app.get("/wait", async (context) => {
  await new Promise((resolve) => setTimeout(resolve, Number(context.req.query("ms"))));
  return context.text("waited");
});

export default app;
