/**
 * Serves with the options in TSGI_SERVE, and tells its addresses. The path says who answers:
 *
 *     /express    Express, through fromNodeListener
 *     /hono       Hono, through fromFetch
 *     /...        the facts of the request
 *
 * Each record of the access log is a line `log {...}`.
 *
 * @module
 */

import process from "node:process";
import express from "express";
import { type Context, Hono } from "hono";
import { getConnInfo } from "@hono/node-server/conninfo";
import { fromFetch } from "../../bridges/fetch.ts";
import { fromNodeListener } from "../../bridges/node_listener.ts";
import { type ApplicationFunction, serve, type ServeOptions } from "../../mod.ts";

const KEYS = [
  "REMOTE_ADDR",
  "REMOTE_PORT",
  "wsgi.url_scheme",
  "HTTPS",
  "HTTP_HOST",
  "SERVER_PORT",
  "SCRIPT_NAME",
  "PATH_INFO",
  "REQUEST_URI",
  "tsgi.peer",
];

const facts: ApplicationFunction = (environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "application/json"]]);
  return [JSON.stringify(Object.fromEntries(KEYS.map((key) => [key, environ[key]])))];
};

const listener = express();
listener.get("/express", (req, res) => {
  const { ip, protocol, secure, hostname, originalUrl, baseUrl } = req;
  res.json({ ip, port: req.socket.remotePort, protocol, secure, hostname, originalUrl, baseUrl, url: req.url });
});

const hono = new Hono();
hono.get("*", (c: Context) => c.json({ url: c.req.url, host: c.req.header("host"), ...getConnInfo(c).remote }));

const apps = {
  "/express": fromNodeListener(listener),
  "/hono": fromFetch(hono),
};

await serve((environ, startResponse) => {
  const app = apps[environ.PATH_INFO as keyof typeof apps] ?? facts;
  return app(environ, startResponse);
}, {
  ...JSON.parse(process.env.TSGI_SERVE as string) as ServeOptions,
  drainIdle: 0.1,
  accessLog: ({ status, refused, environ }) =>
    console.log(`log ${JSON.stringify({ status, refused, from: environ.REMOTE_ADDR, uri: environ.REQUEST_URI })}`),
  onListen: (_address, addresses) => console.log(`listens ${JSON.stringify(addresses)}`),
});
