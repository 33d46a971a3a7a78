/**
 * The response that a listener gets: a real `ServerResponse`. Its head and body are intercepted before they become
 * bytes.
 *
 * All three runtimes build their `ServerResponse` as Node does: `writeHead` passes the head to `_storeHeader`, `write`
 * and `end` pass the body to `_send`, `end` calls `_finish`, and interim responses go to `_writeRaw`. Those four are
 * own properties here, because Express replaces the prototype, and on-headers and compression replace the public
 * methods. All checks, errors and events around them are the runtime's own code.
 *
 * @module
 */

import { type IncomingMessage, ServerResponse, validateHeaderName, validateHeaderValue } from "node:http";
import type { Socket } from "node:net";
import { isHopByHop } from "../../core/grammar.ts";
import type { Maker } from "./prototypes.ts";
import type { RequestSocket } from "./socket.ts";

/** Receives the parts of the response. */
export interface ResponseOwner {
  /** Called when the head is decided. */
  head(code: number, reason: string, headers: [string, string][], framing: Framing): void;
  /** Called with a piece of the body, and the callback for when it is sent. Returns whether to go on writing. */
  body(data: string | Uint8Array, encoding: BufferEncoding | null | undefined, callback: unknown): boolean;
  /** Called with the fields of a 103 response. */
  earlyHints(headers: [string, string][]): void;
  /** Called when the listener has ended the response. */
  ended(): void;
  /** Called when all of it is sent, while `"finish"` is emitted. */
  finished(): void;
}

/** How the length of a body is determined. */
export interface Framing {
  /** Whether there is no body, even if the listener writes one: HEAD, 204, 304. */
  readonly bodyless: boolean;
  /** Length of a complete body, if the server may state it; otherwise null. */
  readonly length: number | null;
  /** Whether the listener stated the length. */
  readonly stated: boolean;
}

const OWNER = Symbol("tsgi.owner");

/** Internal members of node:http's response objects. */
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
export function responseOf(
  request: IncomingMessage,
  maker: Maker,
  socket: RequestSocket,
  owner: ResponseOwner,
): ServerResponse {
  const response = maker.response(request) as Outgoing;
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

/** Emits `"drain"`, so that a waiting listener goes on, when the server takes more. */
export function drainResponse(response: ServerResponse): void {
  const outgoing = response as Outgoing;
  // Only _flush resets writableNeedDrain, and only after output that a socket has taken. So an empty output is added.
  outgoing.outputData.push({ data: "", encoding: "latin1", callback: null });
  outgoing._flush();
}

/** Emits `"close"` once, when the connection is over or the response is complete. */
export function closeResponse(response: ServerResponse): void {
  const outgoing = response as Outgoing;
  if (outgoing._closed) return;
  outgoing.destroyed = true;
  outgoing._closed = true;
  outgoing.emit("close");
}

/** Detaches the socket, as node:http does, once the response is completely sent. */
export function detachResponse(response: ServerResponse, socket: RequestSocket): void {
  socket._httpMessage = null;
  (response as { socket: unknown }).socket = null;
}

// The head.

const verdicts = new Map<string, boolean>(); // cache, by lower-case name
const MOST_VERDICTS = 500; // limits the cache, since a listener may invent names

/** Whether a header belongs to the connection, or is one that the server does not accept. */
function isDropped(name: string): boolean {
  let verdict = verdicts.get(name);
  if (verdict === undefined) {
    verdict = isHopByHop(name) || name === "trailer" || name === "status" || /[-_]$/.test(name);
    if (verdicts.size < MOST_VERDICTS) verdicts.set(name, verdict);
  }
  return verdict;
}

/** Which headers were seen. */
interface Seen {
  length: boolean;
  coding: boolean;
}

/**
 * Replaces the runtime's `_storeHeader`, which serializes. `headers` is what `setHeader` stored, or the argument of
 * `writeHead`.
 */
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
    // If setHeader stored anything, writeHead has merged its headers into that, under lower-case names.
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

/** Handles interim responses. The wire sends 100 itself, 103 is passed on, and the contract has no others. */
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
