/**
 * The second argument of a fetch handler. It combines in one object what the known hosts pass there:
 *
 * - `remoteAddr` like Deno, `requestIP(request)` like Bun, `incoming.socket` like @hono/node-server
 * - `waitUntil(promise)` and `passThroughOnException()` like Workers. Workers pass these in the third argument, so a
 *   handler gets the same object as its third argument too.
 * - `environ`, from tsgi
 *
 * @module
 */

import type { Environ } from "../../core/contract/types.ts";

/** The client's address, as Deno gives it. */
export interface RemoteAddress {
  /** Always `"tcp"`. For a Unix socket or an unknown client, `hostname` is `""` and `port` is 0. */
  readonly transport: "tcp";
  /** Address; `""` where it is not known. */
  readonly hostname: string;
  /** Port; 0 where it is not known. */
  readonly port: number;
}

/** The client's address, as Bun gives it. */
export interface SocketAddress {
  /** Address. */
  readonly address: string;
  /** Port; 0 where it is not known. */
  readonly port: number;
  /** Which kind of address it is. */
  readonly family: "IPv4" | "IPv6";
}

/** The client's address, as `node:http` gives it. */
export interface IncomingAddress {
  /** The part of a socket that is provided. */
  readonly socket: {
    /** Address; undefined where it is not known. */
    readonly remoteAddress: string | undefined;
    /** Port; undefined where it is not known. */
    readonly remotePort: number | undefined;
    /** Which kind of address it is; undefined where it is not known. */
    readonly remoteFamily: "IPv4" | "IPv6" | undefined;
  };
}

/**
 * The second argument of a fetch handler.
 *
 * @example
 * ```ts
 * import { fromFetch } from "tsgi/bridges/fetch";
 * import { client } from "tsgi/testing";
 *
 * const app = fromFetch((request, context) =>
 *   Response.json([context.remoteAddr.hostname, context.requestIP(request)?.family, context.environ.PATH_INFO])
 * );
 * console.assert((await (await client(app).get("/a")).json() as string[]).join() === "127.0.0.1,IPv4,/a");
 * ```
 */
export class FetchContext {
  /** The environ of the request. */
  readonly environ: Environ;

  readonly #request: { fill(): void };

  /** Made by the bridge. */
  constructor(environ: Environ, request: { fill(): void }) {
    this.environ = environ;
    this.#request = request;
  }

  /** The client's address, as Deno gives it. */
  get remoteAddr(): RemoteAddress {
    return { transport: "tcp", hostname: clientAddress(this.environ) ?? "", port: clientPort(this.environ) ?? 0 };
  }

  /** The client's address, as Bun gives it; null where it is not known. The argument changes nothing. */
  requestIP(_request?: unknown): SocketAddress | null {
    const address = clientAddress(this.environ);
    if (address === undefined) return null;
    return { address, port: clientPort(this.environ) ?? 0, family: familyOf(address) };
  }

  /** The client's address, as `node:http` gives it. */
  get incoming(): IncomingAddress {
    const address = clientAddress(this.environ);
    return {
      socket: {
        remoteAddress: address,
        remotePort: clientPort(this.environ),
        remoteFamily: address === undefined ? undefined : familyOf(address),
      },
    };
  }

  /** Lets a promise finish after the response. A server that shuts down waits for it. */
  get waitUntil(): (promise: Promise<unknown>) => void {
    this.#request.fill(); // the promise may outlive the handler
    return (promise) => waitUntil(this.environ, promise); // bound, since programs destructure it
  }

  /** Does nothing, since there is no other server to pass a request on to. Programs for Workers may call it. */
  passThroughOnException(): void {}
}

/** The client's address; undefined where it is not known. */
export function clientAddress(environ: Environ): string | undefined {
  return environ.REMOTE_ADDR === "" ? undefined : environ.REMOTE_ADDR;
}

function clientPort({ REMOTE_PORT: port }: Environ): number | undefined {
  return port === undefined || port === "" ? undefined : Number(port);
}

function familyOf(address: string): "IPv4" | "IPv6" {
  return address.includes(":") ? "IPv6" : "IPv4";
}

/** Passes a promise to the server of a request. */
export function waitUntil(environ: Environ, promise: Promise<unknown>): void {
  environ["tsgi.request"].waitUntil(promise);
}
