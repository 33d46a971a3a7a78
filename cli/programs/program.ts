/**
 * Programs that listen by themselves: `app.listen(3000)`, `Deno.serve(handler)`, `Bun.serve({ fetch })`.
 *
 * A worker cannot let such a program listen: the sockets are the command's, and several workers would ask for one port. So
 * the worker replaces the calls before it runs the program. The first call of the program names its application; it
 * answers as if it had listened, and the worker serves that application on the command's own addresses.
 *
 * Only a worker of the command replaces anything. Where the module exports an application, the calls are restored, but for
 * `listen()` of node:http: many modules export an application and let it listen once their database is connected.
 *
 * @module
 */

import type { Bind } from "../bind.ts";

/** What a program serves, by the call it made. */
export type Served =
  | {
    /** `listen()` of a server of node:http. */
    readonly kind: "node";
    /** Gets each request. */
    readonly listener: (request: never, response: never) => unknown;
  }
  | {
    /** `Deno.serve` or `Bun.serve`. */
    readonly kind: "fetch";
    /** Gets each request, and what the bridge passes beside it. */
    readonly handler: (request: Request, context: never) => Response | Promise<Response>;
  };

/** What becomes of a call to listen behind the first one. */
export type ExtraListen = "refuse" | "ignore" | "allow";

/** A program asked for something that a worker of the command cannot give it. */
export class ProgramError extends Error {
  /** Name of the class. */
  override readonly name = "ProgramError";
}

/** What the replaced calls ask of the worker. */
export interface Capture {
  /** The address that the program is told it listens at. */
  readonly bind: Bind;
  /** Settles once the worker has stopped serving: a program that closes its server waits for it. */
  readonly drained: Promise<void>;
  /** Whether the program has listened. */
  readonly listened: boolean;
  /** Connections that are open. */
  connections(): number;
  /**
   * A program listens.
   *
   * @param what The call, for messages: `listen() on port 3000`.
   * @param again Whether the program listens once more for what it serves already.
   * @returns whether the call is captured. If not, it is to be made as if nothing had been replaced.
   * @throws {ProgramError} when it may not listen.
   */
  listens(what: string, served: Served, again?: boolean): boolean;
  /** The program has closed what it listened with. */
  closes(): void;
}

/** Undoes a replacement. */
export type Restore = () => void;

/** The address of a bind as programs see it: that of `server.address()`. */
export function addressOf(bind: Bind): { address: string; family: "IPv4" | "IPv6"; port: number } | string {
  if (bind.kind === "unix") return bind.path;
  if (bind.kind === "fd") return { address: "127.0.0.1", family: "IPv4", port: 0 };
  const address = bind.host === "localhost" ? "127.0.0.1" : bind.host;
  return { address, family: address.includes(":") ? "IPv6" : "IPv4", port: bind.port };
}
