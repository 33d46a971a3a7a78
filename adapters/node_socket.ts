/**
 * A socket of `node:net` as a Transport.
 *
 * `Buffer` comes from the globals, for the reason that `node.ts` gives.
 *
 * @module
 */

import type { Socket } from "node:net";
import type { Connection, Peer, Transport } from "../core/seams.ts";
import { BatchedOutput, type Memory } from "./batched_transport.ts";
import { peerOf } from "./peer.ts";

const { Buffer } = globalThis;

/** Runs a callback in a later turn of the event loop. */
export function turn(callback: () => void): void {
  setImmediate(callback);
}

/** A socket of `node:net`. */
export class NodeTransport extends BatchedOutput implements Transport {
  peer: Peer;
  readonly givesInput = true; // the stream allocates new memory for each read
  /** The socket that carries the bytes. */
  protected socket: Socket;
  /** Who gets the events; undefined once the socket is closed. */
  protected connection: Connection | undefined;
  readonly #isTcp: boolean;
  #flowing = true; // false from a write above the high-water mark to its drain event
  #error: Error | undefined;

  constructor(socket: Socket) {
    super(turn);
    this.socket = socket;
    this.peer = peerOf(socket);
    this.#isTcp = this.peer.remoteAddress !== "";
  }

  /** Gets the connection of a new socket, and reports events to it. */
  start(accept: (transport: Transport) => Connection): void {
    this.connection = accept(this);
    this.follow(this.socket);
  }

  /** Reports the events of a socket. */
  protected follow(socket: Socket): void {
    socket.on("data", (bytes: Uint8Array) => this.feed(this.connection, bytes));
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
