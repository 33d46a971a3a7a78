/**
 * Sends the request of a case to a server, and reads the whole response.
 */

import { randomUUID } from "node:crypto";
import { connect, type Socket } from "node:net";
import type { Case } from "./case.ts";

/** The compared data. */
export interface Outcome {
  readonly status: string;
  readonly headers: readonly string[];
  readonly body: string;
  /** Whether the response is complete. */
  readonly complete: boolean;
  readonly record: readonly unknown[];
}

/** Headers that the server adds. They are not compared. */
const SERVERS_OWN = /^(?:date|server|connection|keep-alive): /;

/** The notes of a run. */
async function recordOf(port: number, run: string, when: "now" | "over"): Promise<unknown[]> {
  const response = await fetch(`http://127.0.0.1:${port}/${when}`, { headers: { "x-record": run } });
  return await response.json();
}

async function noted(port: number, run: string, what: string, times: number): Promise<void> {
  for (;;) {
    const record = await recordOf(port, run, "now");
    if (record.filter((one) => one === what).length >= times) return;
  }
}

/** Runs a case. */
export async function ask(port: number, one: Case): Promise<Outcome> {
  const run = randomUUID();
  const socket = connect(port, "127.0.0.1");
  let text = "";
  const over = new Promise<void>((resolve) => {
    socket.setEncoding("latin1").on("data", (data) => text += data).on("error", () => {}).once(
      "close",
      () => resolve(),
    );
  });
  await send(socket, port, one, run);
  if (one.leaves === true) {
    await noted(port, run, "leave", 1);
    socket.resetAndDestroy();
  }
  await over;
  return { ...parsed(text, one.line?.startsWith("HEAD") === true), record: await recordOf(port, run, "over") };
}

async function send(socket: Socket, port: number, one: Case, run: string): Promise<void> {
  const lines = [
    one.line ?? "GET / HTTP/1.1",
    "Host: www.test",
    "Connection: close",
    `X-Case: ${one.name}`,
    `X-Run: ${run}`,
  ];
  const [first = "", ...rest] = one.body ?? [];
  socket.write(`${[...lines, ...(one.headers ?? [])].join("\r\n")}\r\n\r\n${first}`, "latin1");
  for (const [index, piece] of rest.entries()) {
    await noted(port, run, "next", index + 1);
    socket.write(piece, "latin1");
  }
}

function parsed(text: string, head: boolean): Omit<Outcome, "record"> {
  const final = text.replace(/^(?:HTTP\/1\.1 1[0-9]{2} [^]*?\r\n\r\n)+/, "");
  const end = final.indexOf("\r\n\r\n");
  const [status = "", ...lines] = (end < 0 ? final : final.slice(0, end)).split("\r\n");
  const all = lines.map((line) => line.replace(/^[^:]*/, (name) => name.toLowerCase()));
  const raw = end < 0 ? "" : final.slice(end + 4);
  const length = all.find((line) => line.startsWith("content-length:"))?.slice(16);
  const chunked = all.includes("transfer-encoding: chunked");
  const { body, complete } = chunked && !head ? dechunked(raw) : {
    body: raw,
    complete: end >= 0 && (head || length === undefined || raw.length === Number(length)),
  };
  return { status, headers: all.filter((line) => !SERVERS_OWN.test(line)).sort(), body, complete };
}

function dechunked(raw: string): { body: string; complete: boolean } {
  let body = "";
  for (let at = 0;;) {
    const end = raw.indexOf("\r\n", at);
    const size = end < 0 ? NaN : parseInt(raw.slice(at, end), 16);
    if (size === 0) return { body, complete: true };
    if (!(end + 2 + size <= raw.length)) return { body: body + (end < 0 ? "" : raw.slice(end + 2)), complete: false };
    body += raw.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
}
