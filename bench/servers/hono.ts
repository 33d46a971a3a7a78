/**
 * Serves a Hono application: with `tsgi` or `lazy` through tsgi, with `native` on the usual server of the runtime, which is
 * @hono/node-server, Deno.serve or Bun.serve.
 *
 * Usage: RUNTIME hono.ts tsgi|lazy|native
 *
 * @module
 */

import process from "node:process";
import { Hono } from "hono";
import { HELLO } from "../workloads.ts";
import { ready } from "./jobs.ts";

type Fetch = (request: Request) => Response | Promise<Response>;

interface Runtimes {
  readonly Deno?: { serve(options: object, handler: Fetch): unknown };
  readonly Bun?: { serve(options: object): { readonly port: number } };
}

const app = new Hono();
app.get("/", (c) => c.text(HELLO));
app.get(
  "/items/:id",
  (c) => c.json({ id: c.req.param("id"), page: c.req.query("page"), agent: c.req.header("user-agent") }),
);
app.post("/", async (c) => c.body(await c.req.arrayBuffer()));

const { Deno, Bun } = globalThis as unknown as Runtimes;
const hostname = "127.0.0.1";

const how = process.argv[2];

if (how === "tsgi" || how === "lazy") {
  const { serve } = await import("../../mod.ts");
  const { fromFetch } = await import("../../bridges/fetch.ts");
  await serve(fromFetch(app, { lazy: how === "lazy" }), {
    hostname,
    port: 0,
    keepAliveTimeout: 60,
    onListen: ({ port }) => ready(port),
  });
} else if (Deno !== undefined) {
  const onListen = ({ port }: { port: number }): void => ready(port);
  Deno.serve({ hostname, port: 0, onListen }, app.fetch);
} else if (Bun !== undefined) {
  ready(Bun.serve({ hostname, port: 0, fetch: app.fetch }).port);
} else {
  const { serve } = await import("@hono/node-server");
  serve({ fetch: app.fetch, hostname, port: 0 }, ({ port }) => ready(port));
}
