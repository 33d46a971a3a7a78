/**
 * Heads of responses: all the ways to set one, and what is refused.
 */

import type { ServerResponse } from "node:http";
import type { Case, Note } from "../case.ts";

/** Notes the code of what a call throws. */
function refused(note: Note, ...calls: (() => unknown)[]): void {
  for (const call of calls) {
    try {
      note(`gave ${typeof call()}`);
    } catch (error) {
      note(`${(error as NodeJS.ErrnoException).code}`);
    }
  }
}

const state = (res: ServerResponse): unknown[] => [
  res.headersSent,
  res.writableEnded,
  res.writableFinished,
  res.finished,
  res.destroyed,
  res.writable,
];

export const headCases: readonly Case[] = [
  { name: "end with a string", listener: (_req, res) => void res.end("hello") },
  { name: "end with nothing", listener: (_req, res) => void res.end() },
  { name: "write and end", listener: (_req, res) => (res.write("one "), void res.end("two")) },
  {
    name: "writeHead with an object",
    listener: (_req, res) => void res.writeHead(201, { "X-One": "1", "x-two": ["a", "b"], "X-Number": 3 }).end("made"),
  },
  {
    name: "writeHead with a reason and a flat list",
    listener: (_req, res) => void res.writeHead(404, "Nope", ["X-One", "1", "X-One", "2"]).end("none"),
  },
  {
    name: "writeHead with a list of pairs",
    listener: (_req, res) =>
      void res.writeHead(200, [["X-One", "1"], ["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]] as never).end("pairs"),
  },
  {
    name: "writeHead over setHeader",
    listener: (_req, res, note) => {
      res.setHeader("X-Kept", "kept").setHeader("x-over", "old");
      res.writeHead(200, { "X-Over": "new", "X-More": "more" });
      note(res.getHeaders());
      res.end("merged");
    },
  },
  {
    name: "writeHead with a list over setHeader",
    listener: (_req, res, note) => {
      res.setHeader("X-Over", "old");
      res.writeHead(200, ["x-over", "1", "X-Over", "2"]);
      note(res.getHeader("x-over"));
      res.end();
    },
  },
  {
    name: "setHeader, appendHeader, setHeaders, removeHeader and what they tell",
    listener: (_req, res, note) => {
      res.setHeader("X-Case", "1").setHeader("X-List", ["a", "b"]).appendHeader("X-List", "c").appendHeader(
        "X-New",
        "n",
      );
      res.setHeaders(new Map([["X-Map", "m"], ["X-Gone", "g"]]));
      res.setHeaders(new Headers([["set-cookie", "a=1"], ["set-cookie", "b=2"]]));
      res.removeHeader("x-gone");
      note([res.getHeader("x-case"), res.getHeader("X-LIST"), res.hasHeader("x-gone"), res.hasHeader("X-Map")]);
      note([res.getHeaderNames(), res.getHeaders()]);
      note((res as unknown as { getRawHeaderNames(): string[] }).getRawHeaderNames?.());
      res.end("set");
    },
  },
  {
    name: "two cookies and a redirect",
    listener: (_req, res) =>
      void res.writeHead(302, { Location: "/else", "Set-Cookie": ["a=1; Path=/", "b=2; HttpOnly"] }).end(),
  },
  {
    name: "statusCode and statusMessage",
    listener: (_req, res) => {
      res.statusCode = 418;
      res.statusMessage = "Short and stout";
      res.end("teapot");
    },
  },
  { name: "a status that nobody knows", listener: (_req, res) => void res.writeHead(299).end("odd") },
  { name: "a status above 599", listener: (_req, res) => void res.writeHead(799, "Beyond").end("far") },
  {
    name: "an empty reason",
    listener: (_req, res) => void res.writeHead(200, "").end("no reason"),
  },
  {
    name: "what is refused",
    listener: (_req, res, note) => {
      refused(
        note,
        () => res.setHeader("a b", "1"),
        () => res.setHeader("a", "x\r\ny"),
        () => res.setHeader("a", "\u4e2d"),
        () => res.setHeader("a", undefined as never),
        () => res.write(null as never),
        () => res.write(7 as never),
        () => res.getHeader(7 as never),
        () => res.setHeaders([] as never),
      );
      res.end("refused");
    },
  },
  {
    name: "what is refused once the head is decided",
    listener: (_req, res, note) => {
      note(state(res));
      res.write("x");
      note(state(res));
      refused(
        note,
        () => res.setHeader("a", "1"),
        () => res.appendHeader("a", "1"),
        () => res.removeHeader("a"),
        () => res.writeHead(200),
        () => res.setHeaders(new Map()),
      );
      res.end("y", () => note(state(res)));
      note(state(res));
    },
    unordered: "writableFinished has a meaning of each runtime's own before finish",
  },
  {
    name: "a status that is none",
    listener: (_req, res, note) => {
      refused(note, () => res.writeHead(99), () => res.writeHead(1000));
      res.end("refused");
    },
    unordered: "Deno's code for it is another",
  },
  { name: "HEAD", line: "HEAD / HTTP/1.1", listener: (_req, res) => void res.end("not sent") },
  {
    name: "HEAD with a length",
    line: "HEAD / HTTP/1.1",
    listener: (_req, res) => void res.writeHead(200, { "Content-Length": 1234, ETag: '"x"' }).end(),
  },
  {
    name: "HEAD in pieces",
    line: "HEAD / HTTP/1.1",
    listener: (_req, res, note) => {
      note(res.write("one"));
      setImmediate(() => res.end("two"));
    },
  },
  { name: "204", listener: (_req, res) => void res.writeHead(204).end("not sent") },
  { name: "304", listener: (_req, res) => void res.writeHead(304, { ETag: '"x"' }).end("not sent") },
  {
    name: "304 with a length",
    listener: (_req, res) => void res.writeHead(304, { "Content-Length": "5" }).end(),
  },
  {
    name: "a length of one's own",
    listener: (_req, res) => {
      res.setHeader("Content-Length", 5);
      res.write("he");
      res.end("llo");
    },
  },
  {
    name: "a length that was removed",
    listener: (_req, res) => {
      res.removeHeader("Content-Length");
      res.end("chunked");
    },
  },
  {
    name: "strictContentLength",
    listener: (_req, res, note) => {
      res.strictContentLength = true;
      res.writeHead(200, { "Content-Length": 2 });
      refused(note, () => res.write("abc"));
      res.end("ab");
    },
  },
  {
    name: "hop-by-hop headers of a listener",
    listener: (_req, res) =>
      void res.writeHead(200, { Connection: "close", "Keep-Alive": "timeout=5", "Transfer-Encoding": "chunked" }).end(
        "x",
      ),
  },
  {
    name: "flushHeaders before the first block",
    listener: async (_req, res, note) => {
      res.setHeader("X-Early", "yes");
      res.flushHeaders();
      note([res.headersSent, res.writableEnded]);
      await new Promise((resolve) => setTimeout(resolve, 20));
      res.end("late");
    },
  },
  {
    name: "_header and _implicitHeader, as express-session uses them",
    listener: (_req, res, note) => {
      const inner = res as unknown as { _header: string | null; _implicitHeader(): void };
      note(inner._header);
      res.setHeader("X-Session", "1");
      inner._implicitHeader();
      note(typeof inner._header === "string" && inner._header.startsWith("HTTP/1.1 200 OK"));
      res.end("session");
    },
  },
  {
    name: "writeHead patched, as on-headers does",
    listener: (_req, res) => {
      const { writeHead } = res;
      res.writeHead = function (this: ServerResponse, ...args: unknown[]) {
        this.setHeader("X-Patched", "yes");
        return writeHead.apply(this, args as never);
      } as never;
      res.end("patched");
    },
  },
  {
    name: "interim responses",
    listener: (_req, res, note) => {
      res.writeContinue(() => note("continued"));
      res.writeProcessing();
      res.writeEarlyHints({ link: "</a.css>; rel=preload", "x-more": "m" }, () => note("hinted"));
      refused(note, () => res.writeEarlyHints({ link: "no link" }));
      setImmediate(() => res.end("final"));
    },
  },
];
