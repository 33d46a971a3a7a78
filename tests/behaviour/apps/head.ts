/**
 * Applications for what the server writes into the head, for interim responses and for taking the socket.
 *
 * @module
 */

import type { UpgradedSocket } from "../../../core/contract/upgraded_socket.ts";
import { bump, type Entry, gate, json, nameOf, note, type Table } from "./record.ts";

/** The other end of the "echo" protocol: what comes is sent back, and the client's end is answered with ours. */
async function echo({ readable, writable, closed }: UpgradedSocket, entry: Entry): Promise<void> {
  const counted = new TransformStream<Uint8Array, Uint8Array>({ flush: () => bump(entry, "ended") });
  await readable.pipeThrough(counted).pipeTo(writable);
  await closed;
  bump(entry, "gone");
}

/** Routes for the head. */
export const headTable: Table = {
  // H01: a Date of the application's own, in odd letter case.
  dated: (_environ, startResponse) => {
    startResponse("200 OK", [["dAtE", "Sun, 06 Nov 1994 08:49:37 GMT"], ["Content-Type", "text/plain"]]);
    return ["dated"];
  },
  // H02.
  served: (_environ, startResponse) => {
    startResponse("200 OK", [["sErVer", "mine/1"], ["Content-Type", "text/plain"]]);
    return ["served"];
  },
  hints: (environ, startResponse, query, entry) => {
    const request = environ["tsgi.request"];
    request.earlyHints([["Link", "</a.css>; rel=preload"], ["Link", "</b.js>; rel=preload"]]);
    return (async function* () {
      await gate(entry);
      if (query.get("again") !== null) request.earlyHints([["X-Second", "1"]]);
      startResponse("200 OK", [["Content-Type", "text/plain"]]);
      yield "final;";
      try {
        request.earlyHints([["X-Late", "1"]]);
        yield "no error";
      } catch (error) {
        yield nameOf(error);
      }
    })();
  },
  "bad-hints": (environ, startResponse) => {
    const outcomes: string[] = [];
    for (const headers of [[["X-A", "b\r\nX-Evil: 1"]], [["Connection", "close"]], "X: y"]) {
      try {
        environ["tsgi.request"].earlyHints(headers as [string, string][]);
        outcomes.push("no error");
      } catch {
        outcomes.push("error");
      }
    }
    return json(startResponse, outcomes);
  },
  upgrade: (environ, startResponse, query, entry) => {
    const protocol = query.get("protocol");
    try {
      const headers: [string, string][] = protocol === null ? [] : [["upgrade", protocol], ["X-Answer", "yes"]];
      void echo(environ["tsgi.request"].upgrade(headers), entry);
    } catch (error) {
      entry.error = nameOf(error);
      startResponse("426 Upgrade Required", [["Content-Type", "text/plain"]]);
      return [nameOf(error)];
    }
    note(entry, "peer", environ.REMOTE_ADDR);
    return [];
  },
  // Says goodbye at once, and waits for nothing.
  goodbye: (environ, _startResponse, _query, entry) => {
    const socket = environ["tsgi.request"].upgrade();
    const writer = socket.writable.getWriter();
    for (let i = 0; i < 8; i++) void writer.write(new TextEncoder().encode(`${i}`.repeat(1 << 18)));
    socket.close().then(() => note(entry, "end", "orderly"), () => note(entry, "end", "broken"));
    return [];
  },
  // H08: waits for its own gate, or not at all.
  turn: async (_environ, startResponse, query, entry) => {
    const name = query.get("name") ?? "";
    note(entry, "order", `begin ${name}`);
    if (query.get("wait") !== null) await gate(entry, name);
    note(entry, "order", `end ${name}`);
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return [name];
  },
};
