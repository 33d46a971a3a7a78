/**
 * Programs that listen by themselves: `app.listen(3000)`, `Deno.serve(handler)`, `Bun.serve({ fetch })`.
 *
 * A worker cannot let such a program listen: the command owns the sockets, and several workers would listen on the same
 * port. So the worker replaces these functions before it runs the program. The program's first call passes its
 * application; the call returns as if the program listened, and the worker serves that application on the command's own
 * addresses.
 *
 * Only a worker of the command replaces anything. Where an export of the module is served, the calls have no effect: many
 * modules export an application and let it listen besides, at once or when their database is connected.
 *
 * @module
 */

import { located } from "../../adapters/proc_sockets.ts";
import type { Bind } from "../bind.ts";

/** Classes of a program's own for requests and responses of node:http. */
export type MessageClasses = NonNullable<
  Parameters<typeof import("../../bridges/node_listener.ts").fromNodeListener>[1]
>;

/** What a program serves, by the function that it called. */
export type Served =
  | {
    /** `listen()` of a server of node:http. */
    readonly kind: "node";
    /** Gets each request. */
    readonly listener: (request: never, response: never) => unknown;
    /** The classes of the two, if the server has its own. */
    readonly classes?: MessageClasses;
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
  /** Settles once the worker has stopped serving. */
  readonly drained: Promise<void>;
  /** Whether it is decided what the worker serves. */
  readonly decided: boolean;
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
  /** Called when the program closes a server that passed `served`. Settles once that server is closed. */
  closes(served: Served): Promise<void>;
}

/**
 * What to add to the message of an error of the module, where its address is in use: calls that are not captured, such as
 * those of node:net, listen in every worker.
 */
export function inUseHint(error: unknown): string {
  const { code, name } = Object(error) as { code?: unknown; name?: unknown };
  if (code !== "EADDRINUSE" && name !== "AddrInUse") return "";
  return "\nEach worker runs the whole module. What it listens with besides its HTTP server, with node:net perhaps, listens " +
    "in each worker, and fails from the second one on: run that in a process of its own";
}

/** Undoes a replacement. */
export type Restore = () => void;

/** The address of a bind in the form of `server.address()`. The system need not reveal that of a descriptor. */
export function addressOf(bind: Bind): { address: string; family: "IPv4" | "IPv6"; port: number } | string {
  if (bind.kind === "unix") return bind.path;
  if (bind.kind === "fd") {
    const { address } = located({ transport: "fd", fd: bind.fd });
    if (address?.transport === "unix") return address.path;
    const { hostname, port } = address ?? { hostname: "127.0.0.1", port: 0 };
    return { address: hostname, family: hostname.includes(":") ? "IPv6" : "IPv4", port };
  }
  const address = bind.host === "localhost" ? "127.0.0.1" : bind.host;
  return { address, family: address.includes(":") ? "IPv6" : "IPv4", port: bind.port };
}
