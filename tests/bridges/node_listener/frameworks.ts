/**
 * Frameworks and the middleware that people add, each below a path of its own: `/express/...` is the Express application,
 * mounted as a front end would mount it.
 */

import { createServer } from "node:http";
import { mkdtempSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import compression from "compression";
import connect from "connect";
import cors from "cors";
import express from "express";
import session from "express-session";
import fastify from "fastify";
import helmet from "helmet";
import { createProxyMiddleware } from "http-proxy-middleware";
import Koa from "koa";
import morgan from "morgan";
import multer from "multer";
// @ts-expect-error -- it has no declarations
import polka from "polka";
import serveStatic from "serve-static";
import sirv from "sirv";
import { fromNodeListener } from "../../../bridges/node_listener.ts";
import type { ApplicationFunction, Body, Environ, StartResponse } from "../../../mod.ts";

const folder = mkdtempSync(join(tmpdir(), "tsgi-listener-"));
writeFileSync(join(folder, "file.txt"), "0123456789".repeat(10_000));

/** Lines that morgan has logged. */
const logged: string[] = [];

function expressApp(): express.Express {
  const app = express();
  app.use(morgan(":method :url :status :res[content-length]", { stream: { write: (line) => void logged.push(line) } }));
  app.use(helmet(), cors({ origin: "http://else.test" }), compression({ threshold: 100 }));
  app.use(session({ secret: "s", resave: false, saveUninitialized: false }));
  app.use(express.json({ limit: "6mb" }), express.urlencoded({ extended: true }), express.text({ limit: "6mb" }));
  app.get("/hello", (req, res) => void res.send(`hello ${req.query["name"]}`));
  app.get("/where", (req, res) =>
    void res.json({
      ip: req.ip,
      protocol: req.protocol,
      host: req.hostname,
      url: req.url,
      originalUrl: req.originalUrl,
      baseUrl: req.baseUrl,
      path: req.path,
      xhr: req.xhr,
      accepts: req.accepts("html", "json"),
    }));
  app.post("/body", (req, res) => void res.json({ type: typeof req.body, length: JSON.stringify(req.body).length }));
  app.get("/count", (req, res) => {
    const own = req.session as unknown as { count?: number };
    own.count = (own.count ?? 0) + 1;
    res.send(String(own.count));
  });
  app.get("/redirect", (_req, res) => {
    res.cookie("a", "1").cookie("b", "2", { httpOnly: true });
    res.redirect("/hello");
  });
  app.get("/file", (_req, res) => void res.sendFile(join(folder, "file.txt")));
  app.get("/download", (_req, res) => void res.download(join(folder, "file.txt"), "n\u00e4me.txt"));
  app.get("/big", (_req, res) => void res.type("text").send("x".repeat(50_000)));
  app.get("/events", async (_req, res) => {
    res.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-transform" });
    res.flushHeaders();
    for (let i = 0; i < 3; i++) {
      await pause(10);
      res.write(`data: ${i}\n\n`);
    }
    res.end();
  });
  app.post("/upload", multer({ storage: multer.memoryStorage() }).single("file"), (req, res) => {
    res.json({ name: req.file?.originalname, size: req.file?.size, fields: req.body });
  });
  app.get("/fails", () => {
    throw new Error("sync");
  });
  app.get("/rejects", () => Promise.reject(Object.assign(new Error("async"), { status: 418 })));
  app.get("/fails-late", async (_req, res) => {
    res.write("part");
    await pause(10);
    res.destroy(new Error("late"));
  });
  app.get("/status/:code", (req, res) => void res.status(Number(req.params.code)).send("status"));
  app.get("/logged", (_req, res) => void res.json(logged));
  app.use((error: Error & { status?: number }, _req: express.Request, res: express.Response, _next: unknown) => {
    res.status(error.status ?? 500).send(`caught ${error.message}`);
  });
  return app;
}

function koaApp(): ReturnType<Koa["callback"]> {
  const app = new Koa();
  app.silent = true;
  app.use(async (context, next) => {
    await next();
    context.set("X-Time", "1");
  });
  app.use(async (context) => {
    switch (context.path) {
      case "/hello":
        await pause(1);
        context.body = { hello: context.query["name"], ip: context.ip };
        break;
      case "/stream": {
        const { Readable } = await import("node:stream");
        context.type = "text";
        context.body = Readable.from(["one ", "two"]);
        break;
      }
      case "/body": {
        let size = 0;
        for await (const chunk of context.req) size += chunk.length;
        context.body = String(size);
        break;
      }
      case "/fails":
        throw new Error("koa");
    }
  });
  return app.callback();
}

async function fastifyApp(): Promise<Parameters<typeof fromNodeListener>[0]> {
  const app = fastify();
  app.get("/hello", (request) => ({ hello: (request.query as { name?: string }).name, ip: request.ip }));
  app.post("/body", { bodyLimit: 6_000_000 }, (request) => ({ length: JSON.stringify(request.body).length }));
  app.get("/fails", () => Promise.reject(new Error("fastify")));
  await app.ready();
  return (request, response) => app.routing(request as never, response as never);
}

function connectApp(): connect.Server {
  const app = connect();
  app.use("/static", serveStatic(folder));
  app.use("/inner", ((req, res) => res.end(`${req.url} ${req.originalUrl}`)) as connect.SimpleHandleFunction);
  app.use("/fails", () => {
    throw new Error("connect");
  });
  return app;
}

function polkaApp(): Parameters<typeof fromNodeListener>[0] {
  const app = polka();
  app.use("static", sirv(folder));
  app.get("/hello/:name", (req: { params: { name: string } }, res: { end(text: string): void }) => {
    res.end(`hello ${req.params.name}`);
  });
  return app.handler as never;
}

async function proxyApp(): Promise<Parameters<typeof fromNodeListener>[0]> {
  const origin = createServer((req, res) => {
    res.setHeader("X-Origin", "1");
    res.write(`${req.method} ${req.url} `);
    req.pipe(res);
  });
  await new Promise<void>((resolve) => origin.listen(0, "127.0.0.1", resolve));
  origin.unref();
  const app = express();
  app.use(createProxyMiddleware({ target: `http://127.0.0.1:${(origin.address() as AddressInfo).port}` }));
  return app as never;
}

const routes: Readonly<Record<string, ApplicationFunction>> = {
  express: fromNodeListener(expressApp()),
  koa: fromNodeListener(koaApp()),
  fastify: fromNodeListener(await fastifyApp()),
  connect: fromNodeListener(connectApp()),
  polka: fromNodeListener(polkaApp()),
  proxy: fromNodeListener(await proxyApp()),
  throws: fromNodeListener(() => {
    throw new Error("sync");
  }),
  rejects: fromNodeListener(() => Promise.reject(new Error("async"))),
};

/** Serves all of them. */
export function app(environ: Environ, startResponse: StartResponse): Body | Promise<Body> {
  const [, name = "", rest = ""] = /^\/([^/]*)(.*)$/.exec(environ.PATH_INFO) ?? [];
  const found = routes[name];
  if (found === undefined) {
    startResponse("404 Not Found", []);
    return [];
  }
  environ.SCRIPT_NAME += `/${name}`;
  environ.PATH_INFO = rest;
  return found(environ, startResponse);
}
