/**
 * The table of attacks: what many clients do at once, and how the server has to end each of them.
 *
 * The server has the time-outs of `timeouts(unit)`, so that a test need not wait for the defaults. All times in the table
 * are multiples of that unit. tests/overload/siege.ts runs an attack, and measures.
 *
 * @module
 */

import { connect as connectTls } from "node:tls";
import type { ServeOptions } from "../../mod.ts";
import type { Visitor } from "./visitor.ts";

/** The options of the server, with a unit of so many seconds. */
export function timeouts(unit: number): ServeOptions {
  return {
    headerTimeout: unit,
    bodyTimeout: unit,
    minBodyRate: 1000,
    minBodyRateGrace: unit,
    keepAliveTimeout: unit,
    writeTimeout: unit,
    requestTimeout: 2 * unit,
  };
}

/** What a connection of an attack does. `unit` is the unit in ms. */
export type Begin = (visitor: Visitor, number: number, unit: number) => void;

/** An attack. */
export interface Attack {
  readonly name: string;
  /** How many connections take part in the short form. */
  readonly connections: number;
  readonly begin: Begin;
  /** The server ends each connection within so many units of its beginning, and what its clock and this process add. */
  readonly units: number;
  /** What each connection gets. Absent where nobody reads it, or where it depends on time. */
  readonly answer?: RegExp;
  /** MiB that the process may grow by for a hundred connections, or fewer. */
  readonly mib: number;
  /** The most connections that the server may have, where it has a limit. It then refuses others. */
  readonly most?: number;
}

const SILENCE = /^$/;
const HEAD = "GET /ok HTTP/1.1\r\nHost: a\r\n";
const CHUNKED = "Transfer-Encoding: chunked";
const COUNTED = "Content-Length: 100000";
const LONG = "a".repeat(100_000);
const STEPS = 10; // octets in a unit of time, from a client that is slow

/** The head of a request with a body. */
function post(path: string, framing: string): string {
  return `POST ${path} HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`;
}

/** Sends a text at once. Many connections send the same one, so its bytes are made once. */
function flood(text: () => string): Begin {
  let bytes: Uint8Array | undefined;
  return ({ socket }) => void socket.write(bytes ??= Buffer.from(text(), "latin1"));
}

/** The same, by a client that reads nothing. */
function deafFlood(text: () => string): Begin {
  const begin = flood(text);
  return (visitor, number, unit) => {
    visitor.deafen();
    begin(visitor, number, unit);
  };
}

/** Sends the first part at once, and the second one octet by octet. */
function slow(first: string, second: string): Begin {
  return (visitor, _number, unit) => {
    if (first !== "") visitor.socket.write(first, "latin1");
    visitor.trickle(second, unit / STEPS);
  };
}

const DOWNLOAD = `${HEAD.replace("/ok", "/download?bytes=1000000000")}\r\n`;

/** Slow clients. They cost the server no time, so all these attacks can be made at once. */
export const slowAttacks: readonly Attack[] = [
  { name: "connections that say nothing", connections: 100, begin: () => {}, units: 1, answer: SILENCE, mib: 16 },
  {
    name: "heads octet by octet",
    connections: 100,
    begin: slow("", `${HEAD}X: ${LONG}`),
    units: 1,
    answer: /^HTTP\/1\.1 408 /,
    mib: 16,
  },
  {
    name: "bodies octet by octet that the application reads",
    connections: 100,
    begin: slow(post("/upload", COUNTED), LONG),
    units: 1,
    answer: /^HTTP\/1\.1 408 /,
    mib: 16,
  },
  {
    name: "bodies octet by octet that nobody reads",
    connections: 100,
    begin: slow(post("/ok", COUNTED), LONG),
    units: 1,
    answer: /^HTTP\/1\.1 200 /,
    mib: 16,
  },
  {
    name: "bodies that are announced by Expect and never come",
    connections: 100,
    begin: flood(() => post("/upload", `${COUNTED}\r\nExpect: 100-continue`)),
    units: 1,
    answer: /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 408 /,
    mib: 16,
  },
  {
    name: "connections that are idle behind a request",
    connections: 100,
    begin: flood(() => `${HEAD}\r\n`),
    units: 1,
    answer: /^HTTP\/1\.1 200 /,
    mib: 16,
  },
  {
    name: "requests pipelined behind one that takes long",
    connections: 10,
    begin: deafFlood(() => `${HEAD.replace("/ok", "/wait?ms=600000")}\r\n${`${HEAD}\r\n`.repeat(20_000)}`),
    units: 3,
    mib: 64,
  },
];

/** Clients that send or ask for much. They cost the server time, so they are made one after the other. */
export const heavyAttacks: readonly Attack[] = [
  {
    name: "large responses that nobody takes",
    connections: 50,
    begin: deafFlood(() => DOWNLOAD),
    units: 1,
    mib: 192,
  },
  {
    name: "large responses that are taken slowly",
    connections: 50,
    begin: (visitor, _number, unit) => {
      visitor.readSlowly(unit / STEPS);
      visitor.socket.write(DOWNLOAD);
    },
    units: 2,
    mib: 192,
  },
  {
    name: "a hundred thousand chunks of one octet",
    connections: 4,
    begin: flood(() => `${post("/upload", CHUNKED)}${"1\r\na\r\n".repeat(100_000)}0\r\n\r\n`),
    units: 1,
    answer: /^HTTP\/1\.1 200 [^]*got 100000/,
    mib: 96,
  },
  {
    name: "chunks of one octet for an application that does not read",
    connections: 20,
    begin: flood(() => post("/wait?ms=600000", CHUNKED) + "1\r\na\r\n".repeat(100_000)),
    units: 2,
    answer: /^HTTP\/1\.1 503 /,
    mib: 96,
  },
  {
    name: "chunk extensions without end",
    connections: 50,
    begin: flood(() => post("/upload", CHUNKED) + "1;a=b\r\na\r\n".repeat(50_000)),
    units: 0,
    answer: /^HTTP\/1\.1 413 /,
    mib: 96,
  },
  {
    name: "a chunk size of leading zeros without end",
    connections: 50,
    begin: flood(() => post("/upload", CHUNKED) + "0".repeat(200_000)),
    units: 0,
    answer: /^HTTP\/1\.1 413 /,
    mib: 96,
  },
  {
    name: "trailers without end",
    connections: 50,
    begin: flood(() => `${post("/upload", CHUNKED)}0\r\n${"X: a\r\n".repeat(50_000)}`),
    units: 0,
    answer: /^HTTP\/1\.1 431 /,
    mib: 96,
  },
  {
    name: "header fields without end",
    connections: 50,
    begin: flood(() => HEAD + "X: a\r\n".repeat(50_000)),
    units: 0,
    answer: /^HTTP\/1\.1 431 /,
    mib: 96,
  },
  {
    name: "a header field without end",
    connections: 50,
    begin: flood(() => `${HEAD}X: ${LONG}${LONG}`),
    units: 0,
    answer: /^HTTP\/1\.1 431 /,
    mib: 96,
  },
  {
    name: "a request line without end",
    connections: 50,
    begin: flood(() => `GET /${LONG}${LONG}`),
    units: 0,
    answer: /^HTTP\/1\.1 414 /,
    mib: 96,
  },
  {
    name: "as many header fields as may be, each as long as may be",
    connections: 100,
    begin: flood(() => HEAD + `X: ${"a".repeat(8000)}\r\n`.repeat(98)),
    units: 0,
    answer: /^HTTP\/1\.1 431 /,
    mib: 64,
  },
  {
    name: "empty lines without end",
    connections: 50,
    begin: flood(() => "\r\n".repeat(100_000)),
    units: 0,
    answer: /^HTTP\/1\.1 400 /,
    mib: 96,
  },
  {
    name: "pipelined requests of which no response is read",
    connections: 4,
    begin: deafFlood(() => `${HEAD.replace("/ok", `/ok?${"a".repeat(200)}`)}\r\n`.repeat(40_000)),
    units: 1,
    mib: 128,
  },
  {
    name: "connections that end in the middle of a head",
    connections: 200,
    begin: ({ socket }) => void socket.end(HEAD),
    units: 0,
    answer: SILENCE,
    mib: 64,
  },
  {
    name: "resets behind a connection, in the middle of a head and of a large response",
    connections: 200,
    begin: ({ socket }, number) => {
      if (number % 3 === 0) return void socket.resetAndDestroy();
      if (number % 3 === 1) return void socket.write(HEAD, () => socket.resetAndDestroy());
      socket.write(DOWNLOAD);
      socket.once("data", () => socket.resetAndDestroy());
    },
    units: 0,
    mib: 192,
  },
];

/** Most connections that the server of `crowdingAttacks` serves at a time. */
export const MOST = 50;
// Those that are served, as many that are closing, and those that were just accepted: Deno accepts all that wait at once.
const MOST_OPEN = 2 * MOST + 150;

/** Clients that take up all the places of a server with the option `maxConnections`, and more. */
export const crowdingAttacks: readonly Attack[] = [
  {
    name: "connections above maxConnections that say nothing and do not close",
    connections: 500,
    begin: (visitor) => visitor.deafen(),
    units: 1,
    mib: 96,
    most: MOST_OPEN,
  },
  {
    name: "connections above maxConnections that are idle behind a request and do not close",
    connections: 500,
    begin: deafFlood(() => `${HEAD}\r\n`),
    units: 1,
    mib: 96,
    most: MOST_OPEN,
  },
];

/** Clients of a server that speaks TLS. */
export const tlsAttacks: readonly Attack[] = [
  { name: "TLS connections that say nothing", connections: 100, begin: () => {}, units: 1, answer: SILENCE, mib: 32 },
  {
    name: "handshakes octet by octet",
    connections: 100,
    begin: slow("", `\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03${"\0".repeat(1000)}`),
    units: 1,
    mib: 32,
  },
  {
    name: "plain HTTP where TLS is spoken",
    connections: 100,
    begin: flood(() => `${HEAD}\r\n`),
    units: 0,
    answer: /^HTTP\/1\.1 400 /,
    mib: 32,
  },
  {
    name: "TLS connections that say nothing behind their handshake",
    connections: 50,
    begin: ({ socket }) => {
      const secure = connectTls({ socket, rejectUnauthorized: false });
      secure.on("error", () => {}); // the connection below it tells
    },
    units: 1,
    mib: 64,
  },
];
