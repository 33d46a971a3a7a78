/**
 * The response as a listener gets it: a real `ServerResponse`, whose head and body are taken before they are serialized.
 *
 * All three runtimes build their `ServerResponse` as Node does: `writeHead` gives the head to `_storeHeader`, `write` and
 * `end` give the body to `_send`, `end` calls `_finish`, and interim responses go to `_writeRaw`. Those four are own
 * properties here, since Express replaces prototypes, and on-headers and compression the public methods. What is checked, thrown and emitted
 * around them is the runtime's own code.
 *
 * @module
 */

import { type IncomingMessage, ServerResponse, validateHeaderName, validateHeaderValue } from "node:http";
import type { Socket } from "node:net";
import { isHopByHop } from "../../core/grammar.ts";
import type { RequestSocket } from "./socket.ts";

/** What a head that is stored goes to. */
export interface ResponseOwner {
  /** The head is decided. */
  head(code: number, reason: string, headers: [string, string][], framing: Framing): void;
  /** A piece of the body, and what is to be called when it has gone; says whether to go on writing. */
  body(data: string | Uint8Array, encoding: BufferEncoding | null | undefined, callback: unknown): boolean;
  /** A 103 response. */
  earlyHints(headers: [string, string][]): void;
  /** The listener has ended the response. */
  ended(): void;
  /** All of it has gone: `"finish"` is being emitted. */
  finished(): void;
}

/** How the length of a body is told. */
export interface Framing {
  /** There is no body, whatever the listener writes: HEAD, 204, 304. */
  readonly bodyless: boolean;
  /** Length of a body that is whole and may have its length stated by the server; else null. */
  readonly length: number | null;
  /** The listener has stated the length. */
  readonly stated: boolean;
}

const OWNER = Symbol("tsgi.owner");

/** What node:http's own response objects have besides. */
interface Internals {
  _header: string | null;
  _headerSent: boolean;
  _hasBody: boolean;
  _contentLength: number | null;
  _removedContLen: boolean;
  _closed: boolean;
  outputData: unknown[];
  _flush(): void;
  _finish(): void;
  _storeHeader(firstLine: string, headers: unknown): void;
  _send(data: string | Uint8Array, encoding?: BufferEncoding | null, callback?: unknown): boolean;
  _writeRaw(data: string, encoding?: unknown, callback?: unknown): boolean;
  [OWNER]: ResponseOwner;
}

type Outgoing = ServerResponse & Internals;

/** Makes the response object of a request. */
export function responseOf(request: IncomingMessage, socket: RequestSocket, owner: ResponseOwner): ServerResponse {
  const response = new ServerResponse(request) as Outgoing;
  response[OWNER] = owner;
  response._storeHeader = storeHeader;
  response._send = send;
  response._writeRaw = writeRaw;
  response._finish = finish;
  response.on("finish", finished);
  socket._httpMessage = response;
  (response as { socket: unknown }).socket = socket as unknown as Socket;
  return response as ServerResponse;
}

/** The server takes more: lets a listener go on that was told to wait. */
export function drainResponse(response: ServerResponse): void {
  const outgoing = response as Outgoing;
  // Only _flush resets what makes writableNeedDrain true, and only behind output that a socket has taken.
  outgoing.outputData.push({ data: "", encoding: "latin1", callback: null });
  outgoing._flush();
}

/** The connection is over, or done with this response: emits `"close"`, once. */
export function closeResponse(response: ServerResponse): void {
  const outgoing = response as Outgoing;
  if (outgoing._closed) return;
  outgoing.destroyed = true;
  outgoing._closed = true;
  outgoing.emit("close");
}

/** The response has ended and gone: as in node:http it has no socket from then on. */
export function detachResponse(response: ServerResponse, socket: RequestSocket): void {
  socket._httpMessage = null;
  (response as { socket: unknown }).socket = null;
}

// The head.

const verdicts = new Map<string, boolean>(); // by name in small letters
const MOST_VERDICTS = 500; // a listener may make names up

/** Whether a header is the connection's, or one that a server does not let through. */
function isDropped(name: string): boolean {
  let verdict = verdicts.get(name);
  if (verdict === undefined) {
    verdict = isHopByHop(name) || name === "trailer" || name === "status" || /[-_]$/.test(name);
    if (verdicts.size < MOST_VERDICTS) verdicts.set(name, verdict);
  }
  return verdict;
}

/** What has been seen among the headers. */
interface Seen {
  length: boolean;
  coding: boolean;
}

/** In place of the runtime's, which makes bytes: `headers` is what `setHeader` has stored, or what `writeHead` was given. */
function storeHeader(this: Outgoing, firstLine: string, headers: unknown): void {
  const pairs: [string, string][] = [];
  const seen: Seen = { length: false, coding: false };
  if (Array.isArray(headers)) storeList(this, headers, pairs, seen);
  else if (typeof headers === "object" && headers !== null) storeObject(this, headers, pairs, seen);
  const stated = seen.length || seen.coding;
  const length = stated || !this._hasBody || this._removedContLen ? null : this._contentLength;
  this[OWNER].head(this.statusCode, this.statusMessage, pairs, {
    bodyless: !this._hasBody,
    length,
    stated: seen.length,
  });
  this._header = firstLine;
  this._headerSent = false;
}

function storeObject(response: Outgoing, headers: object, pairs: [string, string][], seen: Seen): void {
  let stored: boolean | undefined;
  for (const key in headers) {
    // Where setHeader has stored anything, writeHead has put its own headers to it: a field by its lower-case name.
    stored ??= response.hasHeader(key);
    const value = (headers as Record<string, unknown>)[key];
    if (stored) store(response, key, (value as [string, unknown])[0], (value as [string, unknown])[1], pairs, seen);
    else if (Object.hasOwn(headers, key)) storeChecked(response, key, value, pairs, seen);
  }
}

function storeList(response: Outgoing, headers: unknown[], pairs: [string, string][], seen: Seen): void {
  if (Array.isArray(headers[0])) {
    for (const [name, value] of headers as [string, unknown][]) storeChecked(response, name, value, pairs, seen);
    return;
  }
  if (headers.length % 2 !== 0) {
    const error: TypeError & { code?: string } = new TypeError(
      "The argument 'headers' is invalid. Received an odd list",
    );
    error.code = "ERR_INVALID_ARG_VALUE";
    throw error;
  }
  for (let i = 0; i < headers.length; i += 2) {
    storeChecked(response, headers[i] as string, headers[i + 1], pairs, seen);
  }
}

function storeChecked(response: Outgoing, name: string, value: unknown, pairs: [string, string][], seen: Seen): void {
  validateHeaderName(name);
  for (const one of Array.isArray(value) ? value : [value]) validateHeaderValue(name, one);
  store(response, name.toLowerCase(), name, value, pairs, seen);
}

function store(
  response: Outgoing,
  lower: string,
  name: string,
  value: unknown,
  pairs: [string, string][],
  seen: Seen,
): void {
  if (lower === "content-length") {
    seen.length = true;
    response._contentLength = Number(value);
    response._removedContLen = false;
  } else if (lower === "transfer-encoding") seen.coding = true;
  if (isDropped(lower)) return;
  if (!Array.isArray(value)) pairs.push([name, String(value)]);
  else if (lower === "cookie") pairs.push([name, value.join("; ")]);
  else for (const one of value) pairs.push([name, String(one)]);
}

// The body.

function send(
  this: Outgoing,
  data: string | Uint8Array,
  encoding?: BufferEncoding | null,
  callback?: unknown,
): boolean {
  this._headerSent = true;
  return this[OWNER].body(data, encoding, callback);
}

const finishPrototype = (ServerResponse.prototype as Outgoing)._finish;

function finish(this: Outgoing): void {
  finishPrototype.call(this);
  this[OWNER].ended();
}

function finished(this: Outgoing): void {
  this[OWNER].finished();
}

/** What comes here are interim responses: 100 is the wire's own, 103 is passed on, no other has a place in the contract. */
function writeRaw(this: Outgoing, head: string, encoding?: unknown, callback?: unknown): boolean {
  const [statusLine = "", ...lines] = head.trimEnd().split("\r\n");
  if (statusLine.startsWith("HTTP/1.1 103")) {
    this[OWNER].earlyHints(lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }));
  }
  const done = typeof encoding === "function" ? encoding : callback;
  if (typeof done === "function") queueMicrotask(done as () => void);
  return true;
}
