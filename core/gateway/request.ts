/**
 * `tsgi.request`: what a request has and WSGI has no name for.
 *
 * One object per request, its parts made when they are first asked for: most applications never ask.
 *
 * @module
 */

import { describe } from "../errors.ts";
import type { Exchange, HeaderList, Hijacked } from "../seams.ts";
import { checkHeaders } from "./response.ts";

/** Something was asked of a request that its wire, its host or its state does not allow: `earlyHints()`, `hijack()`. */
export class RequestError extends Error {
  /** Name of the class. */
  override readonly name = "RequestError";
}

/** The client has gone: the reason of `signal`, and what pending reads reject with. */
export class ClientDisconnectedError extends Error {
  /** Name of the class. */
  override readonly name = "ClientDisconnectedError";
}

/** How a request reaches its invocation. */
export interface RequestState {
  /** Where the response goes, or undefined once it has ended. */
  readonly exchange: Exchange | undefined;
  /** Whether the response head has been sent. */
  readonly headSent: boolean;
  /** Fires when the client goes away before the response is complete. */
  readonly signal: AbortSignal;
  /** The socket now belongs to the application. */
  hijacked(): void;
  /** The server is to wait for a promise before it ends. */
  waitUntil(promise: Promise<unknown>): void;
}

/** The value of `environ["tsgi.request"]`: what PEP 3333 has no name for. */
export class GatewayRequest {
  readonly #state: RequestState;

  /** Made by the gateway. */
  constructor(state: RequestState) {
    this.#state = state;
  }

  /**
   * Fires when the client goes away before the response is complete, with a {@linkcode ClientDisconnectedError}
   * as its reason; never after a complete response. It is noticed only while the server reads from the client.
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
   * Sends a 103 Early Hints response (RFC 8297) ahead of the final one; nothing to an HTTP/1.0 client, nor on a fetch
   * host.
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
    this.#state.exchange?.informational("103 Early Hints", checkHeaders(headers, "earlyHints"));
  }

  /**
   * Takes the raw socket, after a request with `Connection: Upgrade` (RFC 9110 7.8) and before any response. The
   * application sends the 101 itself; what it returns is closed and not sent. The socket is paused, and is not closed
   * by `end()` alone, until `attach` is called.
   *
   * @throws {RequestError} when there is no raw socket (fetch hosts), no Upgrade, a body, or a response has begun.
   *
   * @example
   * ```ts
   * import { connect } from "node:net";
   * import { serve } from "tsgi";
   * const server = await serve((environ) => {
   *   const { transport, leftover } = environ["tsgi.request"].hijack();
   *   const head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
   *   transport.write(new TextEncoder().encode(head));
   *   transport.attach({
   *     receive: (bytes) => void transport.write(bytes.slice()), // they are lent: send a copy
   *     drained: () => {},
   *     ended: () => transport.end(),
   *     closed: () => {},
   *     shutdown: () => {},
   *     tick: () => {},
   *   }, leftover);
   *   return [];
   * }, { port: 0, onListen: () => {} });
   * const client = connect({ port: server.address.port, host: "127.0.0.1", allowHalfOpen: true });
   * client.end("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nping");
   * let text = "";
   * for await (const bytes of client) text += bytes;
   * console.assert(text.endsWith("\r\n\r\nping"));
   * await server.shutdown({ timeout: 0 });
   * ```
   */
  hijack(): Hijacked {
    if (this.#state.headSent || this.#state.exchange === undefined) {
      throw new RequestError("hijack: the response has already begun");
    }
    const socket = this.#state.exchange.hijack();
    this.#state.hijacked();
    return socket;
  }

  /**
   * Lets work go on behind the response: a server that shuts down, a worker that is replaced and a CGI script wait for
   * the promise, as long as they wait for running requests. What it rejects with is logged.
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
