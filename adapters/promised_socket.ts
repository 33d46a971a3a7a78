/**
 * A socket whose reads and writes are promises, as a Transport: those of Deno, and the standard streams of a CGI script.
 *
 * One read and one write are on their way at a time. A write may take less than it is given. A client that goes away is
 * noticed by a pending read, so one is always pending unless the wire has paused.
 *
 * @module
 */

import type { Connection, Peer, Transport } from "../core/seams.ts";
import {
  BatchedOutput,
  type Block,
  COPY_LIMIT,
  firstBytes,
  HIGH_WATER_MARK,
  type Memory,
  takeBack,
  type Turn,
} from "./batched_transport.ts";
import { peerOf } from "./peer.ts";

/** One end of a connection. */
export interface SocketEnd {
  readonly hostname?: string;
  readonly port?: number;
}

/** What is asked of such a socket; the names are those of `Deno.Conn`. */
export interface PromisedSocket {
  readonly localAddr: SocketEnd;
  readonly remoteAddr: SocketEnd;
  read(memory: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  setNoDelay?(on?: boolean): void;
}

const FIRST_READ = 3072; // bytes: most requests fit, and an idle connection holds this much
const LATER_READ = 65536; // once a read has filled the first memory

/** The transport over one connection. */
export class PromisedTransport extends BatchedOutput implements Transport {
  readonly givesInput = false;
  readonly #conn: PromisedSocket;
  #peer: Peer | undefined;
  #connection: Connection | undefined;
  #queue: Block[] = [];
  #queued = 0;
  #current: Block | undefined; // on its way
  #sent = 0; // of its bytes
  #needsDrain = false;
  #ending = false;
  #ended = false; // our FIN is out
  #peerEnded = false;
  #closed = false;
  #paused = false;
  #wake: (() => void) | undefined;
  // Of the connection, not of each write: promises are most of what a write costs here.
  readonly #onWritten: (count: number) => void = (count) => {
    try {
      this.#written(count);
    } catch (error) {
      this.#close(error);
    }
  };
  readonly #onError: (error: unknown) => void = (error) => this.#close(error);

  constructor(conn: PromisedSocket, accept: (transport: Transport) => Connection, turn: Turn) {
    super(turn);
    this.#conn = conn;
    conn.setNoDelay?.(true);
    this.#connection = accept(this);
    this.#readLoop().catch(this.#onError);
  }

  get peer(): Peer {
    const { remoteAddr, localAddr } = this.#conn;
    return this.#peer ??= peerOf({
      remoteAddress: remoteAddr.hostname,
      remotePort: remoteAddr.port,
      localAddress: localAddr.hostname,
      localPort: localAddr.port,
    });
  }

  get buffered(): number {
    return this.#queued + this.pending;
  }

  send(memory: Memory, length: number): boolean {
    if (this.#closed) return true;
    // What has to wait for an earlier block is not to hold a whole memory for a few bytes.
    const copied = this.#current !== undefined && length <= COPY_LIMIT;
    if (copied) this.#enqueue(memory.bytes.slice(0, length), undefined);
    else this.#enqueue(firstBytes(memory, length), memory);
    return copied;
  }

  protected give(bytes: Uint8Array): void {
    this.#enqueue(bytes, undefined);
  }

  #enqueue(bytes: Uint8Array, memory: Memory | undefined): void {
    if (this.#closed) return;
    this.#queued += bytes.length;
    const block = { bytes, memory };
    if (this.#current !== undefined) return void this.#queue.push(block);
    this.#current = block;
    this.#writeRest();
  }

  protected flowing(): boolean {
    if (this.#queued < HIGH_WATER_MARK) return true;
    this.#needsDrain = true;
    return false;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake?.();
    this.#wake = undefined;
  }

  attach(next: Connection, leftover: Uint8Array): void {
    if (this.#closed) return queueMicrotask(() => next.closed());
    this.#connection = next;
    queueMicrotask(() => {
      if (leftover.length > 0) this.feed(this.#connection, leftover);
      this.resume();
    });
  }

  end(): void {
    this.flush();
    this.resume();
    this.#ending = true;
    if (this.#current === undefined) queueMicrotask(() => this.#sendFin());
  }

  destroy(): void {
    queueMicrotask(() => this.#close());
  }

  reset(): void {
    this.destroy(); // Deno has no way to send a reset
  }

  /** Writes what is left of the block that is on its way; then come those that were made meanwhile. */
  #writeRest(): void {
    const { bytes } = this.#current as Block;
    const rest = this.#sent === 0 ? bytes : bytes.subarray(this.#sent);
    this.#conn.write(rest).then(this.#onWritten, this.#onError);
  }

  #written(count: number): void {
    const { bytes, memory } = this.#current as Block;
    this.#sent += count;
    this.#queued -= count;
    if (this.#sent < bytes.length) return this.#writeRest();
    if (memory !== undefined) takeBack(memory);
    if (this.#needsDrain && this.#queued < HIGH_WATER_MARK) {
      this.#needsDrain = false;
      this.#connection?.drained();
    }
    this.#sent = 0;
    this.#current = this.#queue.shift();
    if (this.#current !== undefined) this.#writeRest();
    else if (this.#ending) this.#sendFin();
  }

  #sendFin(): void {
    if (this.#ended || this.#closed) return;
    this.#ended = true;
    this.#conn.closeWrite().then(() => {
      if (this.#peerEnded) this.#close();
    }, (error) => this.#close(error));
  }

  async #readLoop(): Promise<void> {
    let memory = new Uint8Array(FIRST_READ);
    while (!this.#closed) {
      if (this.#paused) await this.#resumed();
      if (this.#closed) return;
      const count = await this.#conn.read(memory);
      if (this.#paused) await this.#resumed();
      if (this.#closed) return;
      if (count === null) {
        this.#peerEnded = true;
        this.#connection?.ended();
        if (this.#ended) this.#close();
        return;
      }
      this.feed(this.#connection, memory.subarray(0, count));
      if (count === FIRST_READ && memory.length === FIRST_READ) memory = new Uint8Array(LATER_READ);
    }
  }

  #resumed(): Promise<void> {
    return new Promise((resolve) => this.#wake = resolve);
  }

  #close(error?: unknown): void {
    if (this.#closed) return;
    this.#closed = true;
    this.drop();
    this.#queue = [];
    this.#queued = 0;
    try {
      this.#conn.close();
    } catch {
      // It is closed already.
    }
    this.resume(); // a read loop that is paused goes on, and ends
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.closed(error);
  }
}
