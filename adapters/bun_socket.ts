/**
 * Implements Transport with a Bun socket.
 *
 * `socket.write` writes what the system accepts and returns that count. This class keeps the rest until `drain`.
 * Without `allowHalfOpen`, Bun discards output when the client sends FIN. `end()` may drop output that was accepted. So
 * this side sends FIN with `shutdown()`, once nothing is kept, and closes the socket when both sides have sent FIN.
 *
 * @module
 */

import type { Connection, Peer, Transport } from "../core/seams.ts";
import { BatchedOutput, type Block, COPY_LIMIT, type Memory, takeBack, type Turn } from "./batched_transport.ts";
import { peerOf, type SocketAddresses } from "./peer.ts";

/** A Bun socket; its `data` is our transport. */
export interface BunSocket extends SocketAddresses {
  data: BunTransport;
  write(bytes: Uint8Array, start?: number, length?: number): number;
  pause(): void;
  resume(): void;
  shutdown(): void;
  end(): void;
  terminate(): void;
  setNoDelay?(on: boolean): void;
}

/** The transport over one socket. */
export class BunTransport extends BatchedOutput implements Transport {
  peer: Peer;
  readonly givesInput = true; // Bun allocates new memory for each read
  readonly #socket: BunSocket;
  #connection: Connection | undefined;
  #kept: Block[] = []; // what the system has not accepted yet
  #keptBytes = 0;
  #needsDrain = false;
  #ending = false;
  #cut = false; // this side has destroyed or reset the connection
  #ended = false; // this side has sent FIN
  #peerEnded = false;
  #closed = false;
  #paused = false;
  #arrived: (Uint8Array | null)[] = []; // while paused; null is FIN

  constructor(socket: BunSocket, accept: (transport: Transport) => Connection, turn: Turn) {
    super(turn);
    this.#socket = socket;
    this.peer = peerOf(socket);
    socket.data = this; // before `accept`: where that destroys the connection, Bun calls `close` at once
    const connection = accept(this);
    if (this.#closed) queueMicrotask(() => connection.closed());
    else this.#connection = connection;
  }

  // Called by Bun.

  data(bytes: Uint8Array): void {
    if (this.#paused) this.#arrived.push(bytes.slice());
    else this.feed(this.#connection, bytes);
  }

  fin(): void {
    if (this.#paused) this.#arrived.push(null);
    else this.#peerFin();
  }

  drain(): void {
    while (this.#kept.length > 0) {
      const { bytes, memory } = this.#kept[0] as Block;
      const written = Math.max(0, this.#socket.write(bytes));
      this.#keptBytes -= written;
      if (written < bytes.length) {
        this.#kept[0] = { bytes: bytes.subarray(written), memory };
        return;
      }
      this.#kept.shift();
      if (memory !== undefined) takeBack(memory);
    }
    if (this.#needsDrain) {
      this.#needsDrain = false;
      this.feed(this.#connection, null);
    }
    if (this.#ending && this.#kept.length === 0) this.#sendFin();
  }

  close(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.drop();
    this.#kept = [];
    this.#keptBytes = 0;
    const connection = this.#connection;
    this.#connection = undefined;
    // After our FIN, Bun reports the peer's FIN only by closing the socket.
    const orderly = error === undefined && this.#ended && !this.#peerEnded && !this.#cut;
    queueMicrotask(() => { // Bun may call this inside one of our own calls
      if (orderly) connection?.ended();
      connection?.closed(error);
    });
  }

  // Called by a wire.

  get buffered(): number {
    return this.#keptBytes + this.pending;
  }

  send(memory: Memory, length: number): boolean {
    const written = this.#taken(memory.bytes, length);
    if (written === length) return true;
    const copied = length - written <= COPY_LIMIT;
    if (copied) this.#keep(memory.bytes.slice(written, length), undefined);
    else this.#keep(memory.bytes.subarray(written, length), memory);
    return copied;
  }

  protected give(bytes: Uint8Array): void {
    const written = this.#taken(bytes, bytes.length);
    if (written < bytes.length) this.#keep(bytes.subarray(written), undefined);
  }

  protected flowing(): boolean {
    if (this.#kept.length === 0) return true;
    this.#needsDrain = true;
    return false;
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (this.#paused) {
      this.#paused = false;
      this.#socket.resume(); // a system call
    }
    if (this.#arrived.length > 0) queueMicrotask(() => this.#deliver());
  }

  attach(next: Connection, leftover: Uint8Array): void {
    if (this.#closed) return queueMicrotask(() => next.closed());
    this.#connection = next;
    if (leftover.length > 0) this.#arrived.unshift(leftover);
    this.resume();
  }

  end(): void {
    this.flush();
    this.resume();
    this.#ending = true;
    if (this.#kept.length === 0) this.#sendFin();
  }

  destroy(): void {
    this.drop();
    this.#cut = true;
    if (!this.#closed) this.#socket.end();
  }

  reset(): void {
    this.drop();
    this.#cut = true;
    if (!this.#closed) this.#socket.terminate();
  }

  /** Writes the first `length` bytes; returns how many the system accepted. A closed socket counts as accepting all. */
  #taken(bytes: Uint8Array, length: number): number {
    if (this.#closed) return length;
    return this.#kept.length > 0 ? 0 : Math.max(0, this.#socket.write(bytes, 0, length));
  }

  #keep(bytes: Uint8Array, memory: Memory | undefined): void {
    this.#kept.push({ bytes, memory });
    this.#keptBytes += bytes.length;
  }

  #deliver(): void {
    while (!this.#paused && this.#arrived.length > 0) {
      const bytes = this.#arrived.shift() as Uint8Array | null;
      if (bytes === null) this.#peerFin();
      else this.feed(this.#connection, bytes);
    }
  }

  #sendFin(): void {
    if (this.#ended || this.#closed) return;
    this.#ended = true;
    if (this.#peerEnded) this.#socket.end();
    else this.#socket.shutdown();
  }

  #peerFin(): void {
    this.#peerEnded = true;
    const both = this.#ended;
    this.#connection?.ended();
    if (both) this.#socket.end();
  }
}
