/**
 * Applications for what the server writes into the head, for interim responses and for taking the socket.
 *
 * @module
 */

import type { Connection, Hijacked } from "../../../core/seams.ts";
import { bump, type Entry, gate, json, nameOf, note, type Table } from "./record.ts";

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** The other end of the "echo" protocol: what comes is sent back, FIN is answered with FIN. */
function echo({ transport, leftover }: Hijacked, entry: Entry): void {
  transport.write(latin1("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"));
  const connection: Connection = {
    // Lent for the call: a copy is what may be given away.
    receive: (bytes) => void transport.write(bytes.slice()),
    drained: () => {},
    ended: () => {
      bump(entry, "ended");
      transport.end();
    },
    closed: () => bump(entry, "gone"),
    shutdown: () => transport.end(),
    tick: () => {},
  };
  transport.attach(connection, leftover);
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
  hijack: (environ, startResponse, _query, entry) => {
    let taken: Hijacked;
    try {
      taken = environ["tsgi.request"].hijack();
    } catch (error) {
      entry.error = nameOf(error);
      startResponse("426 Upgrade Required", [["Content-Type", "text/plain"]]);
      return [nameOf(error)];
    }
    echo(taken, entry);
    note(entry, "peer", taken.transport.peer.remoteAddress);
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
