/**
 * The host for `node:net`: Node.js, and the same module under Deno and Bun.
 *
 * `node:net` streams handle partial writes themselves. With `allowHalfOpen` a FIN from the client only ends reading;
 * the socket closes by itself once both sides have ended.
 *
 * `process` and `Buffer` come from the globals. An import of their modules would make Node evaluate all their exports,
 * including standard input, which takes milliseconds.
 *
 * @module
 */

import { type AddressInfo, createServer, type Server as NetServer, Socket } from "node:net";
import { listenError, pointingAtCall } from "../core/errors.ts";
import type { Application } from "../core/contract/types.ts";
import type { ServeOptions, TcpServeOptions } from "../core/server/serve_options.ts";
import type { Connection, Host, Listener, Peer, Place, TcpAddress, Transport } from "../core/seams.ts";
import { type Server, startServer } from "../core/server/server.ts";
import { env } from "./environment.ts";
import { latin1With } from "./latin1.ts";
import { BatchedOutput, type Memory } from "./batched_transport.ts";
import { peerOf, unknownAddress } from "./peer.ts";
import { writeStderr } from "./stderr.ts";

const { Buffer, process } = globalThis;

/** The memory that the sockets of Node.js read into, one after the other. What is in it is lent to the connections. */
const shared = new Uint8Array(65536);

/** The properties by which a stream of Node.js reads into memory of a program. Undefined until the first connection. */
let reading: Reading | null | undefined;

interface Reading {
  readonly memory: symbol;
  readonly callback: symbol;
}

/** A stream, and the handle below it, as far as `onread` concerns them. */
interface Internals {
  [property: symbol]: unknown;
  readonly _handle?: { useUserBuffer?(memory: Uint8Array): void } | null;
}

/**
 * Makes a socket read into `shared`, and pass what it has read to `receive`. Returns false where that cannot be.
 *
 * By itself a stream allocates 64 KiB for each read, and copies what has arrived to memory of its own: for a small
 * request that is 1 us of 7. Its option `onread` spares that, but a server does not pass it to the sockets it accepts.
 * So this sets what the option sets. A socket that is made with the option shows which properties these are.
 */
function readsIntoShared(socket: Socket, receive: (bytes: Uint8Array) => void): boolean {
  const way = reading === undefined ? reading = foundReading() : reading;
  const internals = socket as unknown as Internals;
  const handle = internals._handle;
  if (way === null || typeof handle?.useUserBuffer !== "function") return false;
  internals[way.memory] = shared;
  internals[way.callback] = (length: number): boolean => {
    receive(shared.subarray(0, length));
    return true; // false would stop reading
  };
  handle.useUserBuffer(shared);
  return true;
}

function foundReading(): Reading | null {
  if (process.versions.bun !== undefined || process.versions.deno !== undefined) return null;
  const callback = (): boolean => true;
  const socket = new Socket({ onread: { buffer: shared, callback } });
  const symbols = Object.getOwnPropertySymbols(socket);
  const holder = (value: unknown): symbol | undefined =>
    symbols.find((symbol) => (socket as unknown as Internals)[symbol] === value);
  const [memory, call] = [holder(shared), holder(callback)];
  return memory === undefined || call === undefined ? null : { memory, callback: call };
}

class NodeTransport extends BatchedOutput implements Transport {
  peer: Peer;
  readonly givesInput: boolean;
  readonly #socket: Socket;
  readonly #isTcp: boolean;
  #connection: Connection | undefined;
  #flowing = true; // false from a write above the high-water mark to its drain event
  #error: Error | undefined;

  constructor(socket: Socket, accept: (transport: Transport) => Connection) {
    super(host.turn);
    this.#socket = socket;
    this.peer = peerOf(socket);
    this.#isTcp = this.peer.remoteAddress !== "";
    const receive = (bytes: Uint8Array): void => this.feed(this.#connection, bytes);
    this.givesInput = !readsIntoShared(socket, receive); // a stream by itself allocates new memory for each read
    if (this.givesInput) socket.on("data", receive);
    this.#connection = accept(this);
    socket.on("end", () => this.#connection?.ended());
    socket.on("drain", () => {
      this.#flowing = true;
      this.#connection?.drained();
    });
    socket.on("error", (error) => this.#error = error);
    socket.on("close", () => {
      this.drop();
      const connection = this.#connection;
      this.#connection = undefined;
      connection?.closed(this.#error);
    });
  }

  get buffered(): number {
    return this.#socket.writableLength + this.pending;
  }

  protected give(bytes: Uint8Array): void {
    const socket = this.#socket;
    if (!socket.destroyed && socket.writable && !socket.write(bytes)) this.#flowing = false;
  }

  send(memory: Memory, length: number): boolean {
    // The stream converts any other array to a Buffer. So it gets a Buffer, which is kept and reused.
    if (memory.view?.length !== length) memory.view = Buffer.from(memory.bytes.buffer, 0, length);
    this.give(memory.view);
    return this.#socket.writableLength === 0; // otherwise the stream still holds the buffer
  }

  protected flowing(): boolean {
    return this.#flowing;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  attach(next: Connection, leftover: Uint8Array): void {
    if (this.#socket.destroyed) return queueMicrotask(() => next.closed());
    this.#connection = next;
    queueMicrotask(() => {
      if (leftover.length > 0) this.feed(this.#connection, leftover);
      this.#socket.resume();
    });
  }

  end(): void {
    this.flush();
    this.#socket.end();
    this.#socket.resume();
  }

  destroy(): void {
    this.drop();
    this.#socket.destroy();
  }

  reset(): void {
    this.drop();
    // A Unix socket cannot be reset. While a FIN is being sent, libuv refuses to reset, and Node then never emits
    // "close".
    if (this.#socket.writableEnded || !this.#isTcp) this.#socket.destroy();
    else this.#socket.resetAndDestroy();
  }
}

/** The host for `node:net`. */
export const host: Host = {
  runtime: "node",
  latin1: latin1With(Buffer),
  turn: (callback) => void setImmediate(callback),
  stderr: writeStderr,
  env,
  onSignal: (listener) => {
    process.on("SIGINT", listener).on("SIGTERM", listener);
    return () => void process.off("SIGINT", listener).off("SIGTERM", listener);
  },
  listen: async (options, accept) => {
    const { backlog, reusePort } = options;
    let { at } = options;
    if (process.versions.bun !== undefined) {
      (await import("./unsupported.ts")).refuseOnBun(options);
      // This comes before listening, since connections may arrive from then on.
      if (at.transport === "fd") at = (await import("./proc_sockets.ts")).located(at);
    }
    const unix = at.transport === "unix"
      ? await (await import("./unix_path.ts")).UnixPath.claim(at.path, options)
      : undefined;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      new NodeTransport(socket, accept);
    });
    const more = backlog === undefined ? {} : { backlog };
    const where = at.transport === "fd"
      ? { fd: at.fd }
      : at.transport === "unix"
      ? { path: unix?.temporary }
      : { host: at.hostname, port: at.port, reusePort };
    await new Promise<void>((resolve, reject) => {
      const failed = (error: NodeJS.ErrnoException): void => reject(listenError(at, error.code ?? "", error));
      server.once("error", failed);
      const listen = (): unknown =>
        server.listen({ ...where, ...more }, () => {
          server.off("error", failed);
          server.on("error", () => {}); // accept failed for lack of descriptors; the next one may succeed
          resolve();
        });
      if (unix === undefined) listen();
      else unix.bind(listen);
    });
    try {
      unix?.publish();
    } catch (error) {
      server.close();
      throw error;
    }
    return {
      ...whereabouts(server, at),
      close: () => {
        unix?.release();
        server.close(); // frees the port at once; its callback would wait for the connections
        return Promise.resolve();
      },
    };
  },
};

/**
 * The address and kind of the listening socket. For the descriptor of a Unix socket, `node:net` gives no address on
 * Node.js. Bun gives none for any descriptor.
 */
function whereabouts(
  server: NetServer,
  at: Place,
): Pick<Listener, "address" | "kind"> {
  if (at.transport === "unix") return { address: at, kind: "unix" };
  const given = at.transport === "fd" ? at.address : undefined;
  const bound = server.address() as Partial<AddressInfo> | null;
  if (bound?.address !== undefined && bound.port !== undefined) {
    const hostname = at.transport === "tcp" ? at.hostname : bound.address;
    const found: TcpAddress = { transport: "tcp", hostname, port: bound.port };
    return { address: given?.transport === "tcp" ? given : found, kind: "tcp" };
  }
  const kind = bound === null ? "unix" : given?.transport;
  return given?.transport === kind && given !== undefined ? { address: given, kind } : unknownAddress(kind);
}

/**
 * Serves an application with `node:net`.
 *
 * @param app A function, a class, or an object with `wsgiApp` (PEP 3333, "The Application/Framework Side").
 * @param options See {@linkcode ServeOptions}; without any: HOST or else 127.0.0.1, PORT or else 8000.
 * @returns the server, once it listens.
 * @throws {ListenError} (as a rejection) when the address cannot be had.
 * @throws {OptionError} (as a rejection) for an option with a value it cannot have.
 * @throws {ApplicationError} (as a rejection) when `app` is no application.
 *
 * @example
 * ```ts
 * import { serve } from "tsgi/node";
 * const server = await serve((_environ, startResponse) => {
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return "hello\n";
 * }, { port: 0, onListen: () => {} });
 * console.assert(await (await fetch(`http://127.0.0.1:${server.address.port}/`)).text() === "hello\n");
 * await server.shutdown({ timeout: 0 });
 * ```
 */
export function serve(app: Application, options?: TcpServeOptions): Promise<Server<TcpAddress>>;
/** Serves an application at a Unix socket, at a descriptor, or at several places. */
export function serve(app: Application, options?: ServeOptions): Promise<Server>;
export function serve(app: Application, options?: ServeOptions | TcpServeOptions): Promise<Server> {
  return pointingAtCall(() => startServer(host, app, options as ServeOptions | undefined));
}
