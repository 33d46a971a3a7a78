/**
 * Implements Transport with a socket whose reads and writes return promises: a Deno connection, or the standard streams
 * of a CGI script.
 *
 * At most one read and one write are in progress at a time. A write may accept only a part. Only a pending read notices
 * that the client has gone, so one is always pending unless the wire has paused.
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

/** The address of one end of a connection. */
export interface SocketEnd {
  readonly hostname?: string;
  readonly port?: number;
}

/** The socket interface that the transport needs. The names are those of `Deno.Conn`. */
export interface PromisedSocket {
  readonly localAddr: SocketEnd;
  readonly remoteAddr: SocketEnd;
  read(memory: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  closeWrite(): Promise<void>;
  close(): void;
  setNoDelay?(on?: boolean): void;
}

const FIRST_READ = 3072; // bytes; most requests fit, and each idle connection holds a buffer of this size
const LATER_READ = 65536; // bytes, once a read has filled the first buffer

/** The transport over one connection. */
export class PromisedTransport extends BatchedOutput implements Transport {
  readonly givesInput = false;
  readonly #conn: PromisedSocket;
  #peer: Peer | undefined;
  #connection: Connection | undefined;
  #queue: Block[] = [];
  #queued = 0;
  #current: Block | undefined; // the block being written
  #sent = 0; // bytes of it already written
  #needsDrain = false;
  #ending = false;
  #ended = false; // this side has sent FIN
  #peerEnded = false;
  #closed = false;
  #paused = false;
  #wake: (() => void) | undefined;
  // One pair of callbacks per connection, not per write, since promises are most of the cost of a write here.
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

  set peer(peer: Peer) {
    this.#peer = peer;
  }

  get buffered(): number {
    return this.#queued + this.pending;
  }

  send(memory: Memory, length: number): boolean {
    if (this.#closed) return true;
    // A small block that waits for an earlier one is copied, so that it does not occupy a whole pool buffer.
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

  /** Writes the rest of the current block. Queued blocks follow. */
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
      // It is already closed.
    }
    this.resume(); // wakes a paused read loop, which then ends
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.closed(error);
  }
}
