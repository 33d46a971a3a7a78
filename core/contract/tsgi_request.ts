/**
 * `tsgi.request`: the features of a request that WSGI does not define.
 *
 * Each request has one object. Its parts are created on first use, since most applications use none.
 *
 * @module
 */

import { describe } from "../errors.ts";
import { TOKEN } from "../grammar.ts";
import type { Exchange, HeaderList, RawSocket } from "../seams.ts";
import { checkHeaders } from "./response_head.ts";
import { type UpgradedSocket, upgradedSocket } from "./upgraded_socket.ts";

/** The wire, the host or the state of a request does not allow a call: `earlyHints()`, `upgrade()`. */
export class RequestError extends Error {
  /** Name of the class. */
  override readonly name = "RequestError";
}

/** The part of an invocation that `tsgi.request` uses. */
export interface RequestState {
  /** The exchange that receives the response; undefined once it has ended. */
  readonly exchange: Exchange | undefined;
  /** Whether the response head has been sent. */
  readonly headSent: boolean;
  /** Fires when the client goes away before the response is complete. */
  readonly signal: AbortSignal;
  /** Whether the client has sent FIN. */
  readonly clientEnded: boolean;
  /** Calls `listener` when `signal` fires, or would fire if it had been created. */
  onDeparture(listener: (reason: Error) => void): void;
  /** The Upgrade field of the request: the protocols that the client offers to change to. */
  readonly offered: string;
  /** Records that the socket has left the wire. */
  upgraded(): void;
  /** Makes the server wait for a promise before it ends. */
  waitUntil(promise: Promise<unknown>): void;
}

/** The value of `environ["tsgi.request"]`: the features of a request that PEP 3333 does not define. */
export class GatewayRequest {
  readonly #state: RequestState;

  /** Made by the gateway. */
  constructor(state: RequestState) {
    this.#state = state;
  }

  /**
   * Fires when the client goes away before the response is complete, with a {@linkcode ClientDisconnectedError}
   * as its reason; never after a complete response. A response is complete when its body has ended: a client that leaves
   * between the last byte of a Content-Length and the end of the iterator fires the signal. It is noticed only while the
   * server reads from the client.
   *
   * @example
   * ```ts
   * import type { Environ, StartResponse } from "tsgi";
   * export async function* app(environ: Environ, startResponse: StartResponse) {
   *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
   *   const { signal } = environ["tsgi.request"];
   *   while (!signal.aborted) {
   *     yield "still here\n";
   *     await new Promise((resolve) => setTimeout(resolve, 100));
   *   }
   * }
   * ```
   */
  get signal(): AbortSignal {
    return this.#state.signal;
  }

  /**
   * Whether the client has sent FIN: it has half-closed its connection and waits for the response, or it has gone. Which of
   * them, only output shows. It is for callers that have to choose whose requests to serve. Over FastCGI and on a fetch
   * host it is always false, because there a departure is known as such.
   *
   * @example
   * ```ts
   * import { client } from "tsgi/testing";
   * const visitor = client((environ, startResponse) => {
   *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
   *   return [String(environ["tsgi.request"].clientEnded)];
   * });
   * console.assert(await (await visitor.get("/")).text() === "false");
   * ```
   */
  get clientEnded(): boolean {
    return this.#state.clientEnded;
  }

  /**
   * Calls back when the client goes away before the response is complete, which is when `signal` fires. It is for callers
   * that need no AbortSignal: creating one costs more than the rest of a small response.
   *
   * @param listener Gets what would be the reason of `signal`. What it throws is logged.
   *
   * @example
   * ```ts
   * import { client } from "tsgi/testing";
   * let reason = "";
   * const visitor = client((environ) => {
   *   environ["tsgi.request"].onDeparture((error) => reason = error.name);
   *   return new Promise(() => {}); // never answers
   * });
   * const leaving = new AbortController();
   * const request = visitor.get("/", { signal: leaving.signal }).catch(() => {});
   * leaving.abort();
   * await request;
   * console.assert(reason === "ClientDisconnectedError");
   * ```
   */
  onDeparture(listener: (reason: Error) => void): void {
    this.#state.onDeparture(listener);
  }

  /**
   * Sends a 103 Early Hints response (RFC 8297) ahead of the final one. It sends nothing to an HTTP/1.0 client, and
   * nothing on a fetch host.
   *
   * @param headers Name and value pairs, Link above all.
   * @throws {RequestError} after the response head has been sent.
   * @throws {StartResponseError} for a header that `startResponse` would refuse.
   *
   * @example
   * ```ts
   * import type { Environ, StartResponse } from "tsgi";
   * export function app(environ: Environ, startResponse: StartResponse) {
   *   environ["tsgi.request"].earlyHints([["Link", "</style.css>; rel=preload; as=style"]]);
   *   startResponse("200 OK", [["Content-Type", "text/html; charset=utf-8"]]);
   *   return ['<!doctype html><link rel="stylesheet" href="/style.css">'];
   * }
   * ```
   */
  earlyHints(headers: HeaderList): void {
    if (this.#state.headSent) throw new RequestError("earlyHints: the response head has already been sent");
    const { exchange } = this.#state;
    if (exchange === undefined) return;
    const checked = checkHeaders(headers, "earlyHints"); // also where the wire has no interim responses
    exchange.informational?.("103 Early Hints", checked);
  }

  /**
   * Changes to another protocol (RFC 9110 7.8): sends the 101 and gives the connection as streams. The request must have
   * `Connection: Upgrade` and no body, and no response may have begun. What the application returns is closed and not
   * sent.
   *
   * @param headers Fields of the 101. An Upgrade field among them names the protocol, which must be one that the client
   *   offers; without it the client must offer just one, and gets that.
   * @throws {RequestError} when the request is no such request, or there is no connection to give (FastCGI, SCGI, uwsgi,
   *   CGI, fetch hosts).
   * @throws {StartResponseError} for a header that `startResponse` would refuse, Upgrade aside.
   *
   * @example
   * ```ts
   * import { connect } from "node:net";
   * import { serve } from "tsgi";
   * const server = await serve((environ) => {
   *   const { readable, writable } = environ["tsgi.request"].upgrade();
   *   void readable.pipeTo(writable).catch(() => {}); // the client has gone
   *   return [];
   * }, { port: 0, onListen: () => {} });
   * const client = connect({ port: server.address.port, host: "127.0.0.1", allowHalfOpen: true });
   * client.end("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nping");
   * let text = "";
   * for await (const bytes of client) text += bytes;
   * console.assert(text.endsWith("Upgrade: echo\r\n\r\nping"));
   * await server.shutdown({ timeout: 0 });
   * ```
   */
  upgrade(headers: HeaderList = []): UpgradedSocket {
    const { protocol, rest } = chosen(headers, this.#state.offered);
    return upgradedSocket(this.#leave([["Upgrade", protocol], ...rest]));
  }

  /**
   * The socket itself, for bridges to libraries that write their own 101. It is not part of the public API. Applications
   * use {@linkcode GatewayRequest.upgrade}.
   *
   * @internal
   */
  rawSocket(): RawSocket {
    return this.#leave(null);
  }

  #leave(headers: HeaderList | null): RawSocket {
    if (this.#state.headSent || this.#state.exchange === undefined) {
      throw new RequestError("upgrade: the response has already begun");
    }
    const socket = this.#state.exchange.upgrade?.(headers);
    if (socket === undefined) {
      throw new RequestError("upgrade: there is no socket here; expected a request over HTTP/1.1 to a server of tsgi");
    }
    this.#state.upgraded();
    return socket;
  }

  /**
   * Lets work continue after the response. A server that shuts down, a worker that is replaced and a CGI script wait for
   * the promise, for as long as they wait for running requests. A rejection is logged.
   *
   * @param promise The work. It may be given at any time, also after the response.
   * @throws {TypeError} for what is no promise.
   *
   * @example
   * ```ts
   * import { serve } from "tsgi";
   * const log: string[] = [];
   * const server = await serve((environ, startResponse) => {
   *   environ["tsgi.request"].waitUntil((async () => {
   *     await new Promise((resolve) => setTimeout(resolve, 20));
   *     log.push("counted");
   *   })());
   *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
   *   return ["hello\n"];
   * }, { port: 0, onListen: () => {} });
   * console.assert(await (await fetch(`http://127.0.0.1:${server.address.port}/`)).text() === "hello\n");
   * await server.shutdown();
   * console.assert(log.join() === "counted");
   * ```
   */
  waitUntil(promise: Promise<unknown>): void {
    const { then } = Object(promise) as { then?: unknown };
    if (typeof then !== "function") throw new TypeError(`waitUntil: expected a promise, got ${describe(promise)}`);
    this.#state.waitUntil(promise);
  }
}

/** Checks the fields of a 101, and separates the protocol from the other fields. */
function chosen(headers: HeaderList, offered: string): { protocol: string; rest: HeaderList } {
  if (!Array.isArray(headers)) return { protocol: "", rest: checkHeaders(headers, "upgrade") }; // which throws
  const isUpgrade = (pair: unknown): boolean => Array.isArray(pair) && String(pair[0]).toLowerCase() === "upgrade";
  const rest = checkHeaders(headers.filter((pair) => !isUpgrade(pair)), "upgrade");
  const protocols = offered.split(",").map((one) => one.trim()).filter((one) => one !== "");
  const named = headers.filter(isUpgrade).map(([, value]: readonly [string, string]) => value);
  const [protocol, more] = named.length > 0 ? named : protocols;
  if (protocol === undefined || more !== undefined) {
    throw new RequestError(
      `upgrade: expected one protocol, got ${
        describe(named.length > 0 ? named.join(", ") : offered)
      }; name it by an Upgrade field`,
    );
  }
  const matches = (one: string): boolean => one.toLowerCase() === protocol.toLowerCase();
  if (!protocols.some(matches) || !protocol.split("/", 2).every((part) => TOKEN.test(part))) {
    throw new RequestError(`upgrade: the client does not offer ${describe(protocol)}, it offers ${describe(offered)}`);
  }
  return { protocol, rest };
}
