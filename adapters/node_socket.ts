/**
 * A socket of `node:net` as a Transport.
 *
 * `Buffer` comes from the globals, for the reason that `node.ts` gives.
 *
 * @module
 */

import { Socket } from "node:net";
import type { Connection, Peer, Transport } from "../core/seams.ts";
import { BatchedOutput, type Memory } from "./batched_transport.ts";
import { peerOf } from "./peer.ts";

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

/** Runs a callback in a later turn of the event loop. */
export function turn(callback: () => void): void {
  setImmediate(callback);
}

/** A socket of `node:net`. */
export class NodeTransport extends BatchedOutput implements Transport {
  peer: Peer;
  readonly givesInput: boolean;
  /** The socket that carries the bytes. */
  protected socket: Socket;
  /** Who gets the events; undefined once the socket is closed. */
  protected connection: Connection | undefined;
  readonly #isTcp: boolean;
  #flowing = true; // false from a write above the high-water mark to its drain event
  #error: Error | undefined;

  /** A transport over `socket`. With `shares` it reads into memory that all sockets share, where the runtime can do that. */
  constructor(socket: Socket, shares: boolean = true) {
    super(turn);
    this.socket = socket;
    this.peer = peerOf(socket);
    this.#isTcp = this.peer.remoteAddress !== "";
    this.givesInput = !shares || !readsIntoShared(socket, this.#receive); // a stream allocates new memory for each read
  }

  readonly #receive = (bytes: Uint8Array): void => this.feed(this.connection, bytes);

  /** Gets the connection of a new socket, and reports events to it. */
  start(accept: (transport: Transport) => Connection): void {
    this.connection = accept(this);
    this.follow(this.socket);
  }

  /** Reports the events of a socket. */
  protected follow(socket: Socket): void {
    if (this.givesInput) socket.on("data", this.#receive);
    socket.on("end", () => this.connection?.ended());
    socket.on("drain", () => {
      this.#flowing = true;
      this.connection?.drained();
    });
    socket.on("error", (error) => this.#error = error);
    socket.on("close", () => this.closed());
  }

  /** The socket is closed. */
  protected closed(): void {
    this.drop();
    const { connection } = this;
    this.connection = undefined;
    connection?.closed(this.#error);
  }

  get buffered(): number {
    return this.socket.writableLength + this.pending;
  }

  protected give(bytes: Uint8Array): void {
    const socket = this.socket;
    if (!socket.destroyed && socket.writable && !socket.write(bytes)) this.#flowing = false;
  }

  send(memory: Memory, length: number): boolean {
    // The stream converts any other array to a Buffer. So it gets a Buffer, which is kept and reused.
    if (memory.view?.length !== length) memory.view = Buffer.from(memory.bytes.buffer, 0, length);
    this.give(memory.view);
    return this.socket.writableLength === 0; // otherwise the stream still holds the buffer
  }

  protected flowing(): boolean {
    return this.#flowing;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  attach(next: Connection, leftover: Uint8Array): void {
    if (this.socket.destroyed) return queueMicrotask(() => next.closed());
    this.connection = next;
    queueMicrotask(() => {
      if (leftover.length > 0) this.feed(this.connection, leftover);
      this.socket.resume();
    });
  }

  end(): void {
    this.flush();
    this.socket.end();
    this.socket.resume();
  }

  destroy(): void {
    this.drop();
    this.socket.destroy();
  }

  reset(): void {
    this.drop();
    this.abort(this.socket);
  }

  /** Destroys a socket, with a reset if possible. */
  protected abort(socket: Socket): void {
    // A Unix socket cannot be reset. While a FIN is being sent, libuv refuses to reset, and Node then never emits
    // "close".
    if (this.socket.writableEnded || !this.#isTcp) this.socket.destroy();
    else socket.resetAndDestroy();
  }
}
