/** The routes in Hono. */

import { type Context, Hono } from "hono";
import { FAILURE, receipt, stream } from "./work.ts";

/** What the bridge passes beside the request. */
interface Bindings {
  readonly remoteAddr: { readonly hostname: string };
}

const app: Hono<{ Bindings: Bindings }> = new Hono<{ Bindings: Bindings }>();
app.get("/hello", (c) => c.text(`hello ${c.req.query("n")}`));
app.post("/upload", async (c) => c.text(receipt(new Uint8Array(await c.req.arrayBuffer()))));
app.get("/stream", (c) => c.body(stream(c.req.query("gate") as string)));
app.get("/fail", () => {
  throw new Error(FAILURE);
});
app.get("/cut", (c) => c.body(stream(c.req.query("gate") as string, true)));
app.get("/redirect", (c: Context) => {
  c.header("Set-Cookie", "a=1", { append: true });
  c.header("Set-Cookie", "b=2", { append: true });
  return c.redirect("/hello?n=1");
});
app.get("/client", (c) => c.text(c.env.remoteAddr.hostname));

export default app;
