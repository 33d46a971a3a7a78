/**
 * A socket of Bun as a Transport.
 *
 * `socket.write` takes what the system takes and says how much; the rest is kept here until `drain`. Without
 * `allowHalfOpen` Bun throws away output when the client sends FIN, and `end()` may drop output that was taken: so our
 * FIN is `shutdown()`, once nothing is kept, and the socket is closed when both sides have sent theirs.
 *
 * @module
 */

import type { Connection, Peer, Transport } from "../core/seams.ts";
import { BatchedOutput, type Block, COPY_LIMIT, type Memory, takeBack, type Turn } from "./batched_transport.ts";
import { peerOf, type SocketAddresses } from "./peer.ts";

/** A TCP socket, with data of ours. */
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
  readonly peer: Peer;
  readonly givesInput = true; // each read of Bun's has memory of its own
  readonly #socket: BunSocket;
  #connection: Connection | undefined;
  #kept: Block[] = []; // what the system has not taken
  #keptBytes = 0;
  #needsDrain = false;
  #ending = false;
  #cut = false; // by us
  #ended = false; // our FIN is out
  #peerEnded = false;
  #closed = false;
  #paused = false;
  #arrived: (Uint8Array | null)[] = []; // while paused; null is FIN

  constructor(socket: BunSocket, accept: (transport: Transport) => Connection, turn: Turn) {
    super(turn);
    this.#socket = socket;
    this.peer = peerOf(socket);
    this.#connection = accept(this);
  }

  // What Bun tells.

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
    // Behind our FIN Bun tells of the peer's by closing alone.
    const orderly = error === undefined && this.#ended && !this.#peerEnded && !this.#cut;
    queueMicrotask(() => { // Bun may be telling from inside a call of ours
      if (orderly) connection?.ended();
      connection?.closed(error);
    });
  }

  // What a wire asks.

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

  /** How many of the first `length` bytes the system has taken; of a socket that is closed, all. */
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
