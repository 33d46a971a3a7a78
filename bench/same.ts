/**
 * Checks a server before it is measured: it must give exactly the expected responses to exactly the requests that wrk
 * will send. Otherwise a server could seem faster because it answers with less.
 *
 * Compared are the status, Content-Type (parameters aside), the framing that the job asks for, and each octet of the
 * body. Other fields are the server's own: Date, Keep-Alive, Server.
 *
 * @module
 */

import { connect } from "node:net";
import { expected, filled, type Workload } from "./workloads.ts";

const DEADLINE = 10_000; // ms

/** One response, decoded. */
interface Response {
  readonly status: string;
  readonly fields: ReadonlyMap<string, string>;
  readonly body: string;
  readonly rest: string;
}

/** Parses the first response in a text; null if it is incomplete. `ended` says that the connection is closed. */
export function decode(text: string, ended: boolean): Response | null {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const [line, ...lines] = text.slice(0, end).split("\r\n") as [string, ...string[]];
  const fields = new Map(lines.map((field) => {
    const colon = field.indexOf(":");
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()] as const;
  }));
  const framed = body(text.slice(end + 4), fields, ended);
  return framed === null ? null : { status: line.split(" ")[1] ?? "", fields, ...framed };
}

function body(
  text: string,
  fields: ReadonlyMap<string, string>,
  ended: boolean,
): { body: string; rest: string } | null {
  if (fields.get("transfer-encoding") === "chunked") return chunked(text);
  const stated = fields.get("content-length");
  if (stated === undefined) return ended ? { body: text, rest: "" } : null;
  const length = Number(stated);
  return text.length < length ? null : { body: text.slice(0, length), rest: text.slice(length) };
}

function chunked(text: string): { body: string; rest: string } | null {
  const parts: string[] = [];
  for (let at = 0;;) {
    const line = text.indexOf("\r\n", at);
    if (line < 0) return null;
    const size = parseInt(text.slice(at, line), 16);
    const start = line + 2;
    if (text.length < start + size + 2) return null;
    if (size === 0) return { body: parts.join(""), rest: text.slice(start + 2) };
    parts.push(text.slice(start, start + size));
    at = start + size + 2;
  }
}

/** Sends the requests of a workload one after another, each on its own connection, and checks the responses. */
export async function checkSame(name: string, port: number, workload: Workload): Promise<void> {
  for (const [i, text] of workload.requests.entries()) {
    const sent = filled(text, `127.0.0.1:${port}`, 1000 + i);
    await exchange(`${name}, ${workload.name}`, port, sent, workload);
  }
}

function exchange(where: string, port: number, sent: string, workload: Workload): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(sent, "latin1"));
    const received: string[] = [];
    let left = workload.answers;
    const finish = (error?: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    const timer = setTimeout(() => finish(new Error(`${where}: no whole response in time`)), DEADLINE);
    const look = (ended: boolean): void => {
      for (;;) {
        const response = decode(received.join(""), ended);
        if (response === null) break;
        const difference = compare(response, workload);
        if (difference !== null) return finish(new Error(`${where}: ${difference}`));
        received.splice(0, received.length, response.rest);
        if (--left === 0) return finish();
      }
      if (ended) finish(new Error(`${where}: closed before ${left} more responses`));
    };
    socket.setEncoding("latin1").on("data", (part: string) => {
      received.push(part);
      look(false);
    });
    socket.once("error", finish);
    socket.once("end", () => look(true));
  });
}

/** Describes the first difference from the expected response, or returns null. */
function compare(response: Response, { job }: Workload): string | null {
  const want = expected(job);
  if (response.status !== "200") return `status ${response.status}, not 200`;
  const type = response.fields.get("content-type")?.split(";")[0];
  if (type !== want.type) return `Content-Type ${type}, not ${want.type}`;
  const length = response.fields.get("content-length");
  if (length !== (want.length === null ? undefined : String(want.length))) {
    return `Content-Length ${length}, not ${want.length ?? "absent"}`;
  }
  if (response.body !== want.body) return `another body, of ${response.body.length} octets`;
  return null;
}
