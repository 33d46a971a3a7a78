/**
 * Programs that listen by themselves: `app.listen(3000)`, `Deno.serve(handler)`, `Bun.serve({ fetch })`.
 *
 * A worker cannot let such a program listen: the command owns the sockets, and several workers would listen on the same
 * port. So the worker replaces these functions before it runs the program. The program's first call passes its
 * application; the call returns as if the program listened, and the worker serves that application on the command's own
 * addresses.
 *
 * Only a worker of the command replaces anything. Where the module exports an application, the calls are restored, but for
 * `listen()` of node:http: many modules export an application and let it listen once their database is connected.
 *
 * @module
 */

import type { Bind } from "../bind.ts";

/** What a program serves, by the function that it called. */
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
    /** Gets each request, and the context that the bridge passes with it. */
    readonly handler: (request: Request, context: never) => Response | Promise<Response>;
  };

/** What happens at a call to listen after the first one. */
export type ExtraListen = "refuse" | "ignore" | "allow";

/** A program called a function in a way that a worker cannot support. */
export class ProgramError extends Error {
  /** Name of the class. */
  override readonly name = "ProgramError";
}

/** What the replaced functions call on the worker. */
export interface Capture {
  /** The address that the program sees as the one it listens on. */
  readonly bind: Bind;
  /** Settles once the worker has stopped serving: a program that closes its server waits for it. */
  readonly drained: Promise<void>;
  /** Whether the program has listened. */
  readonly listened: boolean;
  /** Connections that are open. */
  connections(): number;
  /**
   * Called when the program listens.
   *
   * @param what The call, for messages: `listen() on port 3000`.
   * @param again Whether the program listens once more for what it serves already.
   * @returns whether the call is captured. If not, the replacement makes the original call.
   * @throws {ProgramError} when the program must not listen again.
   */
  listens(what: string, served: Served, again?: boolean): boolean;
  /** Called when the program has closed its server. */
  closes(): void;
}

/** Undoes a replacement. */
export type Restore = () => void;

/** The address of a bind in the form of `server.address()`. */
export function addressOf(bind: Bind): { address: string; family: "IPv4" | "IPv6"; port: number } | string {
  if (bind.kind === "unix") return bind.path;
  if (bind.kind === "fd") return { address: "127.0.0.1", family: "IPv4", port: 0 };
  const address = bind.host === "localhost" ? "127.0.0.1" : bind.host;
  return { address, family: address.includes(":") ? "IPv6" : "IPv4", port: bind.port };
}
