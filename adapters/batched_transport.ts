/**
 * A pool of output buffers, shared by all sockets of a process.
 *
 * Batching saves system calls. A socket takes a buffer from the pool and copies small pieces, mostly response heads,
 * into it. The buffer is flushed at one of these moments:
 *
 * - Output made during a feed (the processing of received bytes) is flushed at the end of that feed.
 * - Output made outside a feed: the first piece is flushed in the next microtask, and the pieces after it at the end of
 *   the turn of the event loop. So a burst of blocks shares a system call, and no block waits for the next to be made.
 *
 * A socket holds a buffer only while it has unsent output. When too many sockets wait, they are all flushed before
 * another one joins them.
 *
 * @module
 */

import type { Connection } from "../core/seams.ts";

/** Bytes above which a socket asks its wire to wait. */
export const HIGH_WATER_MARK = 65536;

const SIZE = 65536 + 4096; // a block of 64 KiB fits behind its head
const FLUSH_AT = 45056;
const FREE_LIMIT = 128; // buffers kept in the pool
const WAITING_LIMIT = 128; // sockets that wait for the same flush

/** Output up to this many bytes is copied when it has to wait, so that it does not occupy a whole pool buffer. */
export const COPY_LIMIT = 16384;

/** Runs a callback at the end of the turn of the event loop, or soon after. */
export type Turn = (callback: () => void) => void;

/** An output buffer. When `send` has kept it, `takeBack` returns it to the pool. */
export interface Memory {
  /** The whole buffer. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Number of bytes committed so far. */
  used: number;
  /** The view that was sent last. Responses of the same length reuse it. */
  view: Uint8Array<ArrayBuffer> | undefined;
}

/** Output that waits until the system accepts it. */
export interface Block {
  readonly bytes: Uint8Array;
  /** The pool buffer that holds the bytes, if it can be reused. */
  readonly memory: Memory | undefined;
}

const free: Memory[] = [];
/** Outputs to flush in the next microtask (`soon`) and at the end of the turn (`later`). */
const soon: BatchedOutput[] = [];
const later: BatchedOutput[] = [];
let fed: BatchedOutput | undefined;

function newMemory(size: number): Memory {
  return { bytes: new Uint8Array(size), used: 0, view: undefined };
}

/** Returns a view of the first `length` bytes of a buffer. */
export function firstBytes(memory: Memory, length: number): Uint8Array<ArrayBuffer> {
  return memory.view?.length === length ? memory.view : memory.view = memory.bytes.subarray(0, length);
}

/** Returns a buffer to the pool, once its bytes have been sent. */
export function takeBack(memory: Memory): void {
  if (memory.bytes.length === SIZE && free.length < FREE_LIMIT) free.push(memory);
}

/** The output side of a transport. Subclasses add how bytes reach the socket. */
export abstract class BatchedOutput {
  static readonly #flushSoon = (): void => BatchedOutput.#flushAll(soon);
  static readonly #flushLater = (): void => BatchedOutput.#flushAll(later);
  readonly #turn: Turn;
  #memory: Memory | undefined; // holds committed, unsent bytes
  #burst = false; // since the last feed, output was already scheduled
  #waiting = false; // in `soon` or `later`

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  /**
   * Sends the first `length` bytes of a buffer. Returns true when the buffer may be reused at once, false when it is
   * kept.
   */
  abstract send(memory: Memory, length: number): boolean;
  /** Sends bytes and takes ownership of them. */
  protected abstract give(bytes: Uint8Array): void;
  /** Whether output is below the high-water mark. After false, the transport calls `drained` later. */
  protected abstract flowing(): boolean;

  /** Number of committed, unsent bytes. */
  protected get pending(): number {
    return this.#memory?.used ?? 0;
  }

  get memory(): Uint8Array {
    return (this.#memory as Memory).bytes;
  }

  write(bytes: Uint8Array): boolean {
    this.flush();
    this.give(bytes);
    return this.flowing();
  }

  reserve(min: number): number {
    let memory = this.#memory;
    if (memory !== undefined) {
      if (memory.bytes.length - memory.used >= min) return memory.used;
      this.flush();
    }
    memory = min > SIZE ? newMemory(min) : free.pop() ?? newMemory(SIZE);
    this.#memory = memory;
    return memory.used;
  }

  commit(length: number): boolean {
    const memory = this.#memory as Memory;
    memory.used += length;
    if (memory.used >= FLUSH_AT) this.flush();
    else if (fed !== this && !this.#waiting) this.#wait();
    return this.flowing();
  }

  /** Schedules a flush, for output made outside a feed. */
  #wait(): void {
    const waiting = this.#burst ? later : soon;
    if (waiting.length === WAITING_LIMIT) BatchedOutput.#flushAll(waiting);
    if (waiting.length === 0) {
      if (this.#burst) this.#turn(BatchedOutput.#flushLater);
      else queueMicrotask(BatchedOutput.#flushSoon);
    }
    waiting.push(this);
    this.#waiting = true;
    this.#burst = true;
  }

  static #flushAll(waiting: BatchedOutput[]): void {
    for (const output of waiting.splice(0)) {
      output.#waiting = false;
      output.flush();
    }
  }

  /** Sends the committed bytes. */
  protected flush(): void {
    const memory = this.#memory;
    if (memory === undefined) return;
    this.#memory = undefined;
    const length = memory.used;
    memory.used = 0;
    if (length === 0 || this.send(memory, length)) takeBack(memory);
  }

  /** Discards the committed bytes, because the socket is being destroyed. */
  protected drop(): void {
    const memory = this.#memory;
    if (memory === undefined) return;
    this.#memory = undefined;
    memory.used = 0;
    takeBack(memory);
  }

  /** Runs one feed: passes received bytes to a connection, or, for null, tells it that output flows again. */
  protected feed(connection: Connection | undefined, bytes: Uint8Array | null): void {
    fed = this;
    this.#burst = false;
    this.#waiting = false;
    try {
      if (bytes === null) connection?.drained();
      else connection?.receive(bytes);
    } finally {
      fed = undefined;
      this.flush();
    }
  }
}
