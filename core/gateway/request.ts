/**
 * `tsgi.request`: what a request has and WSGI has no name for.
 *
 * One object per request, its parts made when they are first asked for: most applications never ask.
 *
 * @module
 */

import type { Exchange, HeaderList, Hijacked } from "../seams.ts";
import { checkHeaders } from "./response.ts";

/** Something was asked of a request that its wire, its host or its state does not allow. */
export class RequestError extends Error {
  override readonly name = "RequestError";
}

/** The client has gone: the reason of `signal`, and what pending reads reject with. */
export class ClientDisconnectedError extends Error {
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
}

/** The value of `environ["tsgi.request"]`. */
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
   * import type { Environ, StartResponse } from "./types.ts";
   * async function* app(environ: Environ, startResponse: StartResponse) {
   *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
   *   while (!environ["tsgi.request"].signal.aborted) yield "still here\n";
   * }
   * ```
   */
  get signal(): AbortSignal {
    return this.#state.signal;
  }

  /**
   * Sends a 103 Early Hints response (RFC 8297) ahead of the final one; nothing to an HTTP/1.0 client.
   *
   * @throws {RequestError} after the response head has been sent.
   * @throws {StartResponseError} for a header that `startResponse` would refuse.
   */
  earlyHints(headers: HeaderList): void {
    if (this.#state.headSent) throw new RequestError("earlyHints: the response head has already been sent");
    this.#state.exchange?.informational("103 Early Hints", checkHeaders(headers, "earlyHints"));
  }

  /**
   * Takes the raw socket, after a request with `Connection: Upgrade` and before any response. The application
   * sends the 101 itself; what it returns is closed and not sent.
   *
   * @throws {RequestError} when there is no raw socket (fetch hosts), no Upgrade, a body, or a response has begun.
   */
  hijack(): Hijacked {
    if (this.#state.headSent || this.#state.exchange === undefined) {
      throw new RequestError("hijack: the response has already begun");
    }
    const socket = this.#state.exchange.hijack();
    this.#state.hijacked();
    return socket;
  }
}
