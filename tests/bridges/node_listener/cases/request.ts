/**
 * Requests: what is told of them, and every way to read a body.
 */

import type { IncomingMessage } from "node:http";
import { text } from "node:stream/consumers";
import type { Case } from "../case.ts";
import { turn } from "../case.ts";

const POST = "POST /upload HTTP/1.1";

const urls = (name: string, line: string): Case => ({
  name,
  line,
  listener: (req, res, note) => {
    note([req.method, req.url, req.httpVersion, req.httpVersionMajor, req.httpVersionMinor]);
    res.end("seen");
  },
});

const state = (req: IncomingMessage): unknown[] => [
  req.complete,
  req.readable,
  req.readableEnded,
  req.readableFlowing,
  req.destroyed,
  req.aborted,
];

export const requestCases: readonly Case[] = [
  urls("a raw target", "GET /a/../b//c/%7e%2F?x=%20&y=/../ HTTP/1.1"),
  urls("a malformed escape", "GET /%zz%4 HTTP/1.1"),
  urls("absolute-form", "GET http://www.test/a?b HTTP/1.1"),
  urls("OPTIONS *", "OPTIONS * HTTP/1.1"),
  urls("TRACE", "TRACE /t HTTP/1.1"),
  urls("a method of WebDAV", "PROPFIND /dav HTTP/1.1"),
  urls("a question mark with nothing behind it", "GET /? HTTP/1.1"),
  {
    name: "HTTP/1.0",
    line: "GET / HTTP/1.0",
    listener: (req, res, note) => {
      note([req.httpVersion, req.httpVersionMinor]);
      res.writeHead(200, { "Content-Length": "3" }).end("old");
    },
  },
  {
    name: "headers",
    headers: [
      "X-Custom-Name: Value",
      "Cookie: a=1; b=2",
      "Accept: text/html, */*;q=0.1",
      "Content-Type: text/plain",
      "User-Agent: test",
      'If-None-Match: "x"',
      "X-Latin: \u00fc",
    ],
    listener: (req, res, note) => {
      const { "x-run": _run, ...headers } = req.headers;
      const { "x-run": _distinct, ...distinct } = req.headersDistinct;
      note(Object.fromEntries(Object.entries(headers).sort()));
      note(Object.fromEntries(Object.entries(distinct).sort()));
      note(
        [...req.rawHeaders].map((one, i) => i % 2 === 0 ? one.toLowerCase() : one.replace(/^[-0-9a-f]{36}$/, "run")),
      );
      note([req.trailers, req.rawTrailers, req.statusCode, req.statusMessage]);
      res.end();
    },
  },
  {
    name: "the socket",
    listener: (req, res, note) => {
      const { socket } = req;
      note([socket === res.socket, req.connection === socket, socket.destroyed, socket.writable, socket.readable]);
      note([socket.remoteAddress, typeof socket.remotePort, socket.localAddress, typeof socket.localPort]);
      note([socket.remoteFamily, (socket as unknown as { encrypted?: boolean }).encrypted ?? false]);
      socket.setNoDelay(true).setKeepAlive(true).setTimeout(0);
      const listener = (): void => {};
      socket.on("close", listener).once("error", listener).off("close", listener).removeListener("error", listener);
      note([socket.listenerCount("timeout") > 5, typeof socket.destroy, typeof socket.address()]);
      res.end();
    },
  },
  {
    name: "data and end events",
    line: POST,
    headers: ["Content-Length: 5"],
    body: ["hello"],
    listener: (req, res, note) => {
      note(state(req).slice(2));
      let body = "";
      req.on("data", (chunk) => (note(chunk.constructor.name), body += chunk));
      req.on("end", () => (note([req.complete, body]), res.end(body)));
    },
  },
  {
    name: "a chunked body",
    line: POST,
    headers: ["Transfer-Encoding: chunked"],
    body: ["3\r\nabc\r\n", "2\r\nde\r\n0\r\n\r\n"],
    listener: async (req, res, note) => {
      note([req.headers["transfer-encoding"], req.headers["content-length"]]);
      req.once("data", () => note("next"));
      res.end(await text(req));
    },
  },
  {
    name: "setEncoding",
    line: POST,
    headers: ["Content-Length: 4"],
    body: ["\u00c3", "\u00bcab"],
    listener: (req, res, note) => {
      req.setEncoding("utf8");
      note("next");
      let body = "";
      req.on("data", (chunk) => (note(typeof chunk), body += chunk));
      req.on("end", () => res.end(body));
    },
    unordered: "the body may come in one piece",
  },
  {
    name: "async iteration",
    line: POST,
    headers: ["Content-Length: 6"],
    body: ["abc", "def"],
    listener: async (req, res, note) => {
      let body = "";
      for await (const chunk of req) {
        if (body === "") note("next");
        body += chunk;
      }
      res.end(body);
    },
  },
  {
    name: "readable and read()",
    line: POST,
    headers: ["Content-Length: 6"],
    body: ["abcdef"],
    listener: (req, res) => {
      const parts: string[] = [];
      req.on("readable", () => {
        for (let part; (part = req.read(4)) !== null;) parts.push(String(part));
        if (req.readableLength > 0) parts.push(String(req.read()));
      });
      req.on("end", () => res.end(parts.join("|")));
    },
    unordered: "how a read that is too long ends is seen in the body",
  },
  {
    name: "pause and resume",
    line: POST,
    headers: ["Content-Length: 6"],
    body: ["abc", "def"],
    listener: (req, res, note) => {
      let body = "";
      req.on("data", async (chunk) => {
        body += chunk;
        if (body !== "abc") return;
        req.pause();
        note("next");
        while (req.readableLength === 0) await turn(); // a paused request is read ahead
        note([req.isPaused(), body]);
        req.resume();
      });
      req.on("end", () => res.end(body));
    },
  },
  {
    name: "a request without a body that is read",
    listener: async (req, res, note) => {
      note(await text(req));
      note(req.complete);
      res.end("read");
    },
  },
  {
    name: "a body of length 0",
    line: POST,
    headers: ["Content-Length: 0"],
    listener: async (req, res, note) => {
      note(await text(req));
      res.end("empty");
    },
  },
  {
    name: "a body that nobody reads",
    line: POST,
    headers: ["Content-Length: 5"],
    body: ["hello"],
    listener: (_req, res) => void res.end("unread"),
  },
  {
    name: "a body that is read after the response",
    line: POST,
    headers: ["Content-Length: 6"],
    body: ["abc", "def"],
    listener: (req, res, note) => {
      let body = "";
      req.on("data", (chunk) => {
        body += chunk;
        if (body === "abc") note("next");
      });
      req.on("end", () => note(body));
      res.end("early");
    },
    unordered: "the response goes on its way before the rest of the body comes",
  },
  {
    name: "expect: 100-continue",
    line: POST,
    headers: ["Content-Length: 5", "Expect: 100-continue"],
    body: ["hello"],
    listener: async (req, res, note) => {
      note(req.headers.expect);
      res.end(await text(req));
    },
  },
  {
    name: "state after everything",
    listener: (req, res, note) => {
      res.on("close", () => note(state(req)));
      res.end("state");
    },
    unordered: "whether a request that nobody reads has ended when the response closes is each runtime's own affair",
  },
  {
    name: "a slow body",
    line: POST,
    headers: ["Content-Length: 3"],
    body: ["a", "b", "c"],
    listener: async (req, res, note) => {
      for await (const _chunk of req) {
        await turn();
        note("next");
      }
      res.end("all three");
    },
    unordered: "the end of a body may come with its last piece, or behind it",
  },
];
