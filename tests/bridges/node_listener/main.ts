/**
 * Serves the cases over node:http or over tsgi: `main.ts http`, `main.ts tsgi`; `main.ts checked` with the validator
 * between server and bridge.
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { fromNodeListener } from "../../../bridges/node_listener.ts";
import { validator } from "../../../wsgiref/validate.ts";
import { serve } from "../../../mod.ts";
import { cases } from "./cases/mod.ts";
import { turn } from "./case.ts";

const records = new Map<string, unknown[]>();
const closed = new Map<string, () => void>();

/** Answers with what a run of a case has noted, once it is over; or, with `?now`, with what there is. */
async function answerRecord(req: IncomingMessage, res: ServerResponse, id: string): Promise<void> {
  if (req.url === "/over") {
    if (!records.get(id)?.includes("res close")) await new Promise<void>((resolve) => closed.set(id, resolve));
    for (let i = 0; i < 10; i++) await turn();
  }
  res.setHeader("Content-Type", "application/json");
  res.end(JSON.stringify(records.get(id) ?? []));
}

async function listener(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const asked = req.headers["x-record"];
  if (typeof asked === "string") return answerRecord(req, res, asked);
  const name = String(req.headers["x-case"]);
  const one = cases.find((candidate) => candidate.name === name);
  if (one === undefined) {
    res.statusCode = 404;
    res.end(name);
    return;
  }
  const id = String(req.headers["x-run"]);
  const record: unknown[] = [];
  records.set(id, record);
  const note = (what: unknown): void => void record.push(what);
  for (const event of ["end", "aborted", "close"]) req.on(event, () => note(`req ${event}`));
  req.on("error", (error: NodeJS.ErrnoException) => note(`req error ${error.code} ${error.message}`));
  for (const event of ["prefinish", "finish", "drain"]) res.on(event, () => note(`res ${event}`));
  res.on("error", (error: NodeJS.ErrnoException) => note(`res error ${error.code}`));
  res.on("close", () => {
    note("res close");
    closed.get(id)?.();
  });
  try {
    await one.listener(req, res, note);
  } catch (error) {
    note(`threw ${(error as NodeJS.ErrnoException).code ?? error}`);
    res.end();
  }
}

if (process.argv[2] === "http") {
  const server = createServer(listener);
  server.listen(0, "127.0.0.1", () => console.log(`port ${(server.address() as AddressInfo).port}`));
} else {
  const bridged = fromNodeListener(listener);
  const app = process.argv[2] === "checked" ? validator(bridged) : bridged;
  const server = await serve(app, { port: 0, hostname: "127.0.0.1", onListen: () => {} });
  console.log(`port ${server.address.port}`);
}
