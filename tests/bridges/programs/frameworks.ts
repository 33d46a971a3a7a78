/**
 * The application of a framework that the first argument names, over the sockets of the runtime. Prints its port.
 *
 * Each has the same routes, in the framework's own words.
 */

import process from "node:process";
import { type FetchContext, type FetchObject, fromFetch } from "../../../bridges/fetch.ts";
import { serve } from "../../../mod.ts";

const encoder = new TextEncoder();

let release = (): void => {};

/** A block, and another once `/release` is asked for. */
function blocks(): ReadableStream<Uint8Array> {
  const released = new Promise<void>((resolve) => release = resolve);
  return new ReadableStream({
    async start(controller): Promise<void> {
      controller.enqueue(encoder.encode("one "));
      await released;
      controller.enqueue(encoder.encode("two"));
      controller.close();
    },
  });
}

/** Lets it go on. */
function released(): string {
  release();
  return "released";
}

/** A stream that fails behind its first block. */
function failing(): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async start(controller): Promise<void> {
      controller.enqueue(encoder.encode("begun"));
      await new Promise((resolve) => setTimeout(resolve, 20));
      controller.error(new Error("in the middle"));
    },
  });
}

async function lengthOf(body: ReadableStream<Uint8Array> | null): Promise<number> {
  let length = 0;
  if (body !== null) { for await (const block of body) length += block.length; }
  return length;
}

const makers: Readonly<Record<string, () => Promise<() => FetchObject>>> = {
  async hono() {
    const { Hono } = await import("hono");
    const { getCookie, setCookie } = await import("hono/cookie");
    const { bodyLimit } = await import("hono/body-limit");
    // Those of Deno and Bun load on their own runtime alone.
    const helpers = [
      await import("@hono/node-server/conninfo"),
      ...("Deno" in globalThis ? [await import("hono/deno")] : []),
      ...("Bun" in globalThis ? [await import("hono/bun")] : []),
    ];
    const { stream } = await import("hono/streaming");
    const app = new Hono();
    app.get("/hello/:name", (c) => c.text(`${c.req.query("word")} ${c.req.param("name")} ${c.req.header("x-a")}`));
    app.post("/json", async (c) => c.json({ given: await c.req.json() }));
    app.post("/upload", async (c) => c.text(String(await lengthOf(c.req.raw.body))));
    app.post("/limited", bodyLimit({ maxSize: 10 }), async (c) => c.text(await c.req.text()));
    app.get("/stream", () => new Response(blocks()));
    app.get("/release", () => new Response(released()));
    app.get("/fails-late", () => new Response(failing()));
    app.get("/throws", () => {
      throw new Error("thrown");
    });
    app.get("/redirect", (c) => {
      setCookie(c, "a", "1");
      setCookie(c, "b", getCookie(c, "seen") ?? "2");
      return c.redirect("/elsewhere");
    });
    app.get("/address", (c) => {
      const all = helpers.map(({ getConnInfo }) => getConnInfo(c).remote.address);
      return c.json(all.every((one) => one === all[0]) ? all[0] : all);
    });
    app.get("/own-stream", (c) =>
      stream(c, async (out) => {
        await out.write("one ");
        await out.sleep(20);
        await out.write("two");
      }));
    app.get("/execution", (c) => {
      c.executionCtx.waitUntil(Promise.resolve());
      return c.text("waits");
    });
    app.mount("/mounted", (request: Request) => new Response(`${request.method} ${new URL(request.url).pathname}`));
    return () => app;
  },
  async h3() {
    const { getQuery, getRequestIP, getRouterParam, H3, redirect, setCookie } = await import("h3");
    const app = new H3();
    app.get("/hello/:name", (event) => {
      const name = getRouterParam(event, "name");
      return `${getQuery(event)["word"]} ${name} ${event.req.headers.get("x-a")}`;
    });
    app.post("/json", async (event) => ({ given: await event.req.json() }));
    app.post("/upload", async (event) => String(await lengthOf(event.req.body)));
    app.get("/stream", () => blocks());
    app.get("/release", released);
    app.get("/fails-late", () => failing());
    app.get("/throws", () => {
      throw new Error("thrown");
    });
    app.get("/redirect", (event) => {
      setCookie(event, "a", "1");
      setCookie(event, "b", "2");
      return redirect("/elsewhere");
    });
    app.get("/address", (event) => JSON.stringify(getRequestIP(event)));
    return () => app as unknown as FetchObject;
  },
  async elysia() {
    const { Elysia } = await import("elysia");
    const app = new Elysia()
      .get("/hello/:name", ({ params, query, headers }) => `${query["word"]} ${params.name} ${headers["x-a"]}`)
      .post("/json", ({ body }) => ({ given: body }))
      .post("/upload", async ({ request }) => String(await lengthOf(request.body)), { parse: "none" })
      .get("/stream", () => new Response(blocks()))
      .get("/release", released)
      .get("/fails-late", () => new Response(failing()))
      .get("/throws", () => {
        throw new Error("thrown");
      })
      .get("/redirect", ({ cookie, redirect }) => {
        cookie["a"]?.set({ value: "1" });
        cookie["b"]?.set({ value: "2" });
        return redirect("http://test.example/elsewhere"); // outside Bun it takes whole URLs only
      })
      .get("/address", ({ request }) => JSON.stringify((request as Request & { ip?: string }).ip));
    return () => app as unknown as FetchObject;
  },
  async itty() {
    const { AutoRouter, text } = await import("itty-router");
    const app = AutoRouter();
    app.get(
      "/hello/:name",
      ({ params, query, headers }) => text(`${query["word"]} ${params["name"]} ${headers.get("x-a")}`),
    );
    app.post("/json", async (request) => ({ given: await request.json() }));
    app.post("/upload", async (request) => text(String(await lengthOf(request.body))));
    app.get("/stream", () => new Response(blocks()));
    app.get("/release", () => new Response(released()));
    app.get("/fails-late", () => new Response(failing()));
    app.get("/throws", () => {
      throw new Error("thrown");
    });
    app.get("/redirect", () => {
      const headers = new Headers({ location: "/elsewhere" });
      for (const cookie of ["a=1", "b=2"]) headers.append("set-cookie", cookie);
      return new Response(null, { status: 302, headers });
    });
    app.get("/address", (_request, context: FetchContext) => context.remoteAddr.hostname);
    return () => app as unknown as FetchObject;
  },
};

const maker = makers[process.argv[2] as string];
if (maker === undefined) throw new Error(`There is no ${process.argv[2]}`);
const made = await maker(); // a function: a router of itty-router answers to every name, and so to "then"
await serve(fromFetch(made()), { port: 0, onListen: ({ port }) => console.log(`port ${port}`) });
