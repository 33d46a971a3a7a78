/**
 * Bodies of responses: encodings, flow, pipes.
 */

import { Buffer } from "node:buffer";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Case } from "../case.ts";
import { turn } from "../case.ts";

const MEGABYTES = 8;

export const bodyCases: readonly Case[] = [
  {
    name: "encodings",
    listener: (_req, res) => {
      res.setHeader("Content-Type", "application/octet-stream");
      res.write("fc", "hex");
      res.write("w7w=", "base64");
      res.write("\u00fc", "latin1");
      res.write("\u00fc");
      res.write("ab", "utf16le");
      res.end("\u20ac", "utf8");
    },
  },
  {
    name: "bytes",
    listener: (_req, res) => {
      res.write(new Uint8Array([1, 2, 255]));
      res.write(Buffer.from("buffer"));
      res.end(Buffer.alloc(0));
    },
  },
  { name: "one block of an end in latin1", listener: (_req, res) => void res.end("\u00fc\u00e4", "latin1") },
  {
    name: "callbacks of writes and the end",
    listener: async (_req, res, note) => {
      res.write("a", () => note("wrote a"));
      res.write("b", "utf8", () => note("wrote b"));
      await turn();
      res.write("", () => note("wrote nothing"));
      res.end("c", () => note("ended"));
    },
    unordered: "runtimes call the callback of an end before finish, or behind it",
  },
  {
    name: "end called twice, and write after it",
    listener: (_req, res, note) => {
      res.end("once", () => note("first"));
      res.end();
      note(res.write("late", (error) => note(`write ${(error as NodeJS.ErrnoException)?.code}`)));
      res.end("late", () => note("second"));
    },
    unordered: "runtimes differ in what the callback of a second end() gets",
  },
  {
    name: "pieces over time",
    listener: async (_req, res) => {
      for (const piece of ["a", "b", "c"]) {
        res.write(piece);
        await turn();
      }
      res.end("d");
    },
  },
  {
    name: "an end long after the last block",
    listener: (_req, res) => {
      res.write("all");
      setTimeout(() => res.end(), 20);
    },
  },
  {
    name: "backpressure: drain after write gave false",
    listener: async (_req, res, note) => {
      const block = Buffer.alloc(1024 * 1024, "x");
      let waits = 0;
      for (let i = 0; i < MEGABYTES; i++) {
        if (res.write(block)) continue;
        waits++;
        await new Promise((resolve) => res.once("drain", resolve));
        if (res.writableNeedDrain) note("still needs a drain");
        if (res.writableLength > 0) note(`${res.writableLength} bytes wait`);
      }
      note(waits > 0);
      res.end();
    },
    unordered: "how often a runtime's socket makes writers wait is its own affair",
  },
  {
    name: "a readable piped, after a drain",
    listener: async (_req, res) => {
      if (!res.write(Buffer.alloc(1024 * 1024, "a"))) await new Promise((resolve) => res.once("drain", resolve));
      Readable.from(Array.from({ length: 100 }, (_, i) => Buffer.alloc(20_000, String(i % 10)))).pipe(res);
    },
    unordered: "how often a runtime's socket makes writers wait is its own affair",
  },
  {
    name: "pipeline into the response",
    listener: async (_req, res, note) => {
      await pipeline(Readable.from(["one ", "two ", "three"]), res);
      note("pipeline done");
    },
  },
  {
    name: "pipeline that fails",
    listener: async (_req, res, note) => {
      res.setHeader("Content-Length", "100");
      async function* failing(): AsyncGenerator<string> {
        yield "some";
        await turn();
        throw new Error("source");
      }
      await pipeline(Readable.from(failing()), res).catch((error) => note(`pipeline ${error.message}`));
    },
    cut: true,
  },
  {
    name: "echo by pipeline",
    line: "POST / HTTP/1.1",
    headers: ["Content-Length: 12"],
    body: ["hello ", "world!"],
    listener: async (req, res, note) => {
      req.once("data", () => note("next"));
      const upper = new Transform({
        transform: (chunk, _encoding, callback) => callback(null, String(chunk).toUpperCase()),
      });
      await pipeline(req, upper, res);
    },
    unordered: "node:http emits finish when the kernel has the bytes, which may be after the request has closed",
  },
  {
    name: "cork and uncork",
    listener: (_req, res, note) => {
      res.cork();
      res.write("a");
      res.write("b");
      res.uncork();
      note(res.writableCorked);
      res.end("c");
    },
  },
  {
    name: "trailers are taken",
    listener: (_req, res) => {
      res.write("with a trailer");
      res.addTrailers({ "X-Sum": "14" });
      res.end();
    },
  },
];
