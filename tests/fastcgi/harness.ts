/**
 * A FastCGI connection without sockets, and the web server's side of the protocol in latin-1 text.
 *
 * Its decoder shares no code with the connection's encoder, because a shared mistake would not be noticed.
 */

import type { Application } from "../../core/contract/types.ts";
import { type FastcgiConfig, fastcgiConnection } from "../../core/wires/fastcgi/connection.ts";
import { writeLatin1 } from "../../core/grammar.ts";
import type { WireConnection } from "../../core/wires/wire.ts";
import { configOf, RecordingTransport } from "../http1/harness.ts";

/** The part of the configuration that a test may set. */
export type Overrides = Partial<Omit<FastcgiConfig, "gateway" | "template">>;

/** Bytes of latin-1 text. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  writeLatin1(bytes, 0, text);
  return bytes;
}

/** A record, in text. */
export interface TextRecord {
  readonly type: number;
  readonly id: number;
  readonly content: string;
}

/** A connection under test, with its transport, application and log. */
export class Talk {
  readonly transport: RecordingTransport = new RecordingTransport();
  readonly connection: WireConnection;
  /** The text of wsgi.errors. */
  log = "";
  /** How often the connection asked to be forgotten. */
  forgotten = 0;

  constructor(app: Application, overrides: Overrides = {}) {
    const config = configOf(app, (text) => this.log += text, () => this.forgotten++);
    this.connection = fastcgiConnection(this.transport, { ...config, ...overrides });
  }

  /** Delivers text as one read; the memory is overwritten afterwards, as a host would. */
  receive(...texts: readonly string[]): this {
    const bytes = bytesOf(texts.join(""));
    this.connection.receive(bytes);
    bytes.fill(0x3f);
    return this;
  }

  /** Lets everything that is ready run. */
  async settled(): Promise<this> {
    await new Promise((resolve) => setImmediate(resolve));
    return this;
  }

  /** The records that were sent. */
  get records(): TextRecord[] {
    return recordsOf(this.transport.sent);
  }

  /** The records of one request, END_REQUEST included. */
  response(id: number): Response {
    return responseOf(this.records, id);
  }

  /** Status lines of all responses, in the order in which they began. */
  get statuses(): string[] {
    return [...this.transport.sent.matchAll(/Status: ([^\r]*)\r\n/g)].map((match) => match[1] as string);
  }

  /** Lines of the log. */
  get logged(): string[] {
    return this.log.split("\n").filter((line) => line !== "");
  }
}

/** The response of one request, as a web server reads it from the records. */
export interface Response {
  readonly stdout: string;
  /** Part of stdout: up to the empty line. */
  readonly head: string;
  /** Part of stdout: behind it. */
  readonly body: string;
  /** How often the empty STDOUT record came. */
  readonly stdoutEnds: number;
  /** appStatus and protocolStatus of each END_REQUEST. */
  readonly ends: readonly (readonly [appStatus: number, protocolStatus: number])[];
}

/** Puts the records of one request together. */
export function responseOf(records: readonly TextRecord[], id: number): Response {
  const own = records.filter((one) => one.id === id);
  const stdout = own.filter(({ type }) => type === 6).map(({ content }) => content).join("");
  const [head = "", ...rest] = stdout.split("\r\n\r\n");
  return {
    stdout,
    head,
    body: rest.join("\r\n\r\n"),
    stdoutEnds: own.filter(({ type, content }) => type === 6 && content === "").length,
    ends: own.filter(({ type }) => type === 3).map(({ content }) => [content.charCodeAt(3), content.charCodeAt(4)]),
  };
}

/** Parses complete records; throws for anything else. */
export function recordsOf(text: string): TextRecord[] {
  const records: TextRecord[] = [];
  for (let at = 0; at < text.length;) {
    const octet = (offset: number): number => text.charCodeAt(at + offset);
    if (octet(0) !== 1) throw new Error(`a record of version ${octet(0)} at ${at}`);
    const end = at + 8 + octet(4) * 256 + octet(5);
    if (end > text.length) throw new Error("the last record is not whole");
    records.push({ type: octet(1), id: octet(2) * 256 + octet(3), content: text.slice(at + 8, end) });
    at = end + octet(6);
  }
  return records;
}

/** A record. */
export function record(type: number, id: number, content = "", padding = 0): string {
  const { length } = content;
  const header = String.fromCharCode(1, type, id >> 8, id & 255, length >> 8, length & 255, padding, 0xee);
  return header + content + "\xaa".repeat(padding);
}

/** BEGIN_REQUEST. */
export function begin(id: number, keepConn = true, role = 1): string {
  return record(1, id, String.fromCharCode(role >> 8, role & 255, keepConn ? 1 : 0, 0, 0, 0, 0, 0));
}

/** Variables of a request. */
export type Vars = Readonly<Record<string, string>>;

/** Name-value pairs. */
export function pairs(vars: Vars | readonly (readonly [name: string, value: string])[]): string {
  const length = (n: number): string =>
    n < 128 ? String.fromCharCode(n) : String.fromCharCode(128 + (n >> 24), (n >> 16) & 255, (n >> 8) & 255, n & 255);
  const list = Array.isArray(vars) ? vars as [string, string][] : Object.entries(vars);
  return list.map(([name, value]) => `${length(name.length)}${length(value.length)}${name}${value}`).join("");
}

/** Some variables of a request. */
export function variables(more: Vars = {}): Vars {
  return {
    REQUEST_METHOD: "GET",
    SCRIPT_NAME: "",
    PATH_INFO: "/",
    QUERY_STRING: "",
    SERVER_PROTOCOL: "HTTP/1.1",
    REMOTE_ADDR: "198.51.100.7",
    ...more,
  };
}

/** PARAMS, in one record, and their end. */
export function params(id: number, more: Vars = {}): string {
  return record(4, id, pairs(variables(more))) + record(4, id);
}

/** STDIN without its end. */
export function stdin(id: number, content: string): string {
  return record(5, id, content);
}

/** The end of STDIN. */
export function stdinEnd(id: number): string {
  return record(5, id);
}

/** A request without a body. */
export function get(id: number, path = "/", keepConn = true): string {
  return begin(id, keepConn) + params(id, { PATH_INFO: path }) + stdinEnd(id);
}

/** A request with a body of stated length; its STDIN ends. */
export function post(id: number, body: string, keepConn = true): string {
  const head = begin(id, keepConn) + params(id, { REQUEST_METHOD: "POST", CONTENT_LENGTH: `${body.length}` });
  return head + stdin(id, body) + stdinEnd(id);
}
