/**
 * Cases of incomplete responses: clients that leave, listeners that cut the connection.
 */

import type { Case } from "../case.ts";

export const endingCases: readonly Case[] = [
  {
    name: "a client that leaves before the response",
    leaves: true,
    listener: (req, res, note) => {
      note("leave");
      res.on("close", () => note([res.writableEnded, res.destroyed, req.destroyed, req.aborted]));
    },
  },
  {
    name: "a client that leaves in the middle of the response",
    leaves: true,
    listener: (req, res, note) => {
      res.write("part");
      note("leave");
      const timer = setInterval(() => res.write("more"), 5);
      res.on("close", () => {
        clearInterval(timer);
        note([res.writableEnded, res.writableFinished, res.destroyed, req.destroyed]);
      });
    },
  },
  {
    name: "a client that leaves in the middle of its body",
    line: "POST / HTTP/1.1",
    headers: ["Content-Length: 10"],
    body: ["abc"],
    leaves: true,
    listener: (req, res, note) => {
      req.once("data", () => note("leave"));
      req.on("close", () => note([req.complete, req.aborted, req.readableEnded]));
      res.on("close", () => note(res.headersSent));
    },
  },
  {
    name: "a listener that waits for a client that has left",
    leaves: true,
    listener: async (req, _res, note) => {
      note("leave");
      await new Promise((resolve) => req.once("close", resolve));
      note("gone");
    },
  },
  {
    name: "a write to a client that has left",
    leaves: true,
    listener: async (_req, res, note) => {
      note("leave");
      await new Promise((resolve) => res.once("close", resolve));
      note(res.write("late"));
      res.end("later");
    },
    unordered: "what is told of a late write differs",
  },
  {
    name: "res.destroy before the head",
    listener: (_req, res, note) => {
      res.destroy();
      note([res.destroyed, res.writableEnded, res.headersSent]);
    },
    cut: true,
  },
  {
    name: "res.destroy with an error in the middle",
    listener: (_req, res, note) => {
      res.writeHead(200, { "Content-Length": 100 });
      res.write("part");
      setTimeout(() => {
        res.destroy(new Error("mine"));
        note(res.destroyed);
      }, 20);
    },
    cut: true,
  },
  {
    name: "an end, and then a request that is destroyed",
    line: "POST / HTTP/1.1",
    headers: ["Content-Length: 3"],
    body: ["abc"],
    listener: (req, res) => {
      res.writeHead(413, { "Content-Length": 9 }).end("too large");
      req.destroy();
    },
    unordered: "the parts of a cut come in an order of each runtime's own",
  },
  {
    name: "an end later, and then a socket that is destroyed",
    listener: async (req, res) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      res.writeHead(200, { "Content-Length": 5 }).end("whole");
      req.socket.destroySoon();
    },
    unordered: "the parts of a cut come in an order of each runtime's own",
  },
  {
    name: "req.destroy in the middle",
    listener: (req, res) => {
      res.write("part");
      setTimeout(() => req.destroy(), 20);
    },
    cut: true,
  },
  {
    name: "req.socket.destroy in the middle",
    listener: (req, res) => {
      res.write("part");
      setTimeout(() => req.socket.destroy(), 20);
    },
    cut: true,
  },
  {
    name: "a response after its time-out",
    listener: (req, res, note) => {
      req.setTimeout(30);
      res.setTimeout(30, () => {
        note("timeout");
        res.end("in time");
      });
    },
  },
];
