/**
 * Replaces `listen()` of node:http in a worker, so that the worker serves the program's server.
 *
 * The replacement is an own property of `http.Server.prototype`. So it covers every server, in whatever way the program
 * got `createServer`: by a named import, a subclass or an earlier reference. `net.Server.prototype` is not changed,
 * because the worker's own sockets use it.
 *
 * The captured server stays a real `http.Server` that never has a socket. Own properties of it make it look like a
 * server that listens: `listening`, `address()`, `close()`.
 *
 * @module
 */

import type http from "node:http";
import process from "node:process";
import { addressOf, type Capture, type MessageClasses, type Restore, type Served } from "./program.ts";

type Callback = (error?: Error) => void;

/** The part of a server that is used or replaced here. */
export interface Listening {
  listen(...args: unknown[]): this;
  emit(event: string, ...args: unknown[]): boolean;
  once(event: string, listener: (...args: never[]) => void): this;
}

/** The arguments of a call to `listen()`. */
export interface ListenCall {
  /** The port, or the path of a Unix socket; undefined for any free port. */
  readonly where: string | number | undefined;
  readonly host: string | undefined;
  readonly callback: Callback | undefined;
  /** Closes the server when it fires. */
  readonly signal?: AbortSignal;
}

const NOT_KEPT = Symbol(); // for the runtime's own class, which is the default

const LOOPBACK: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "::1"]);

/** Parses the arguments of `listen()`: `(port, host, backlog, callback)`, `(path, ...)`, `(options, callback)`. */
export function listenCall(args: readonly unknown[]): ListenCall {
  const callback = args.find((one): one is Callback => typeof one === "function");
  const [first, second] = args;
  if (typeof first === "object" && first !== null) {
    const { port, path, host, signal } = first as {
      port?: number | string;
      path?: string;
      host?: string;
      signal?: AbortSignal;
    };
    return { where: path ?? numberOf(port), host, callback, ...(signal === undefined ? {} : { signal }) };
  }
  return { where: numberOf(first), host: typeof second === "string" ? second : undefined, callback };
}

/** The place of a call to `listen()`, for messages. */
export function placeOf({ where }: ListenCall): string {
  if (where === undefined) return "a free port";
  return typeof where === "number" ? `port ${where}` : where;
}

function numberOf(value: unknown): string | number | undefined {
  if (typeof value === "string" && /^[0-9]+$/.test(value)) return Number(value);
  return typeof value === "string" || typeof value === "number" ? value : undefined;
}

/** Captures `listen()` of every server of node:http, for good. */
export function captureNodeListen(capture: Capture): void {
  let where: string | number | undefined; // of the first call
  // An import declaration would load undici on Node, for http.WebSocket: 33 ms and 6 MB in each worker.
  const { Server } = process.getBuiltinModule("node:http");
  replaceListen(Server.prototype, function (original, args) {
    const call = listenCall(args);
    // Fastify binds "localhost" with one server for each of its addresses.
    const again = capture.decided && call.where === where && LOOPBACK.has(call.host ?? "");
    const isFirst = !capture.decided;
    const served = servedBy(this);
    if (!capture.listens(`listen() on ${placeOf(call)}`, served, again)) return original.apply(this, args as []);
    if (isFirst) where = call.where;
    return pretend(this as unknown as http.Server, call, () => capture.closes(served), capture);
  });
}

/** What a server of node:http serves: it emits an event for each request. */
export function servedBy(server: Listening): Served {
  return {
    kind: "node",
    listener: (request, response) => server.emit("request", request, response),
    classes: classesOf(server),
  };
}

/** The classes that `createServer(options)` got; none for another object. Node, Deno and Bun keep them under symbols of these names. */
export function classesOf(server: object): MessageClasses {
  const kept = (name: keyof MessageClasses): never => {
    const symbol = Object.getOwnPropertySymbols(server).find(({ description }) => description === name);
    return (server as Record<symbol, unknown>)[symbol ?? NOT_KEPT] as never;
  };
  return { IncomingMessage: kept("IncomingMessage"), ServerResponse: kept("ServerResponse") };
}

/** Replaces `listen` of a prototype. */
export function replaceListen(
  prototype: object,
  replacement: (this: Listening, original: Listening["listen"], args: readonly unknown[]) => unknown,
): Restore {
  const own = Object.getOwnPropertyDescriptor(prototype, "listen");
  const original = (prototype as Listening).listen;
  Object.defineProperty(prototype, "listen", {
    configurable: true,
    writable: true,
    enumerable: own?.enumerable ?? false,
    value: function (this: Listening, ...args: unknown[]) {
      return replacement.call(this, original, args);
    },
  });
  return () => {
    if (own === undefined) delete (prototype as { listen?: unknown }).listen;
    else Object.defineProperty(prototype, "listen", own);
  };
}

/** Makes a server behave like one that listens, without a socket. `closes` settles once it is closed. */
export function pretend(
  server: http.Server,
  { callback, signal }: ListenCall,
  closes: () => Promise<void>,
  capture: Capture,
): http.Server {
  let listening = true;
  const closed = (done?: Callback): http.Server => {
    if (!listening) {
      const error = Object.assign(new Error("Server is not running."), { code: "ERR_SERVER_NOT_RUNNING" });
      if (done !== undefined) process.nextTick(done, error);
      return server;
    }
    listening = false;
    if (done !== undefined) server.once("close", done);
    void closes().then(() => server.emit("close"));
    return server;
  };
  const own = {
    address: () => listening ? addressOf(capture.bind) : null,
    close: closed,
    closeAllConnections: () => {},
    closeIdleConnections: () => {},
    getConnections: (done: (error: Error | null, count: number) => void) => {
      process.nextTick(done, null, capture.connections());
      return server;
    },
    ref: () => server,
    unref: () => server,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => closed(() => resolve())),
  };
  for (const name of Reflect.ownKeys(own)) {
    const value = own[name as keyof typeof own];
    Object.defineProperty(server, name, { configurable: true, writable: true, value });
  }
  Object.defineProperty(server, "listening", { configurable: true, get: () => listening });
  if (callback !== undefined) server.once("listening", callback);
  if (signal?.aborted === true) process.nextTick(closed);
  else signal?.addEventListener("abort", () => closed(), { once: true });
  process.nextTick(() => listening && server.emit("listening"));
  return server;
}
