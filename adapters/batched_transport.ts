/**
 * Output memory, shared by all sockets of a process.
 *
 * Small pieces, heads above all, are copied into a memory that the socket takes from the pool, and leave together: at
 * the end of the feed in which they were made, or when they were made outside one, the first of them in the next
 * microtask and what follows it at the end of the turn, so that blocks that come in a burst share a system call and none
 * ever waits for the next one to be made. A socket has a memory only while something in it waits to leave; when many
 * have, they leave before another socket takes one.
 *
 * @module
 */

import type { Connection } from "../core/seams.ts";

/** Bytes above which a socket asks its wire to wait. */
export const HIGH_WATER_MARK = 65536;

const SIZE = 65536 + 4096; // a block of 64 KiB fits behind its head
const FLUSH_AT = 45056;
const FREE_LIMIT = 128; // memories that wait to be used again
const WAITING_LIMIT = 128; // sockets whose output waits for the same moment

/** Bytes of output that are copied, where they have to wait, rather than that they keep the memory they are in. */
export const COPY_LIMIT = 16384;

/** Runs a callback at the end of the turn of the event loop, or soon after. */
export type Turn = (callback: () => void) => void;

/** Output memory; once it has been given away with `send` it is taken back with `takeBack`. */
export interface Memory {
  /** All of it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** How many of them have been committed. */
  used: number;
  /** The part of it that was sent last: responses of one length need one view. */
  view: Uint8Array<ArrayBuffer> | undefined;
}

/** Output that waits for the system. */
export interface Block {
  readonly bytes: Uint8Array;
  /** The memory that they are in, where it can be used again. */
  readonly memory: Memory | undefined;
}

const free: Memory[] = [];
/** Outputs that are flushed in the next microtask, and at the end of the turn. */
const soon: BatchedOutput[] = [];
const later: BatchedOutput[] = [];
let fed: BatchedOutput | undefined;

function newMemory(size: number): Memory {
  return { bytes: new Uint8Array(size), used: 0, view: undefined };
}

/** The first `length` bytes of a memory. */
export function firstBytes(memory: Memory, length: number): Uint8Array<ArrayBuffer> {
  return memory.view?.length === length ? memory.view : memory.view = memory.bytes.subarray(0, length);
}

/** Takes memory back that was given away with `send`, once its bytes have been sent. */
export function takeBack(memory: Memory): void {
  if (memory.bytes.length === SIZE && free.length < FREE_LIMIT) free.push(memory);
}

/** The output side of a transport: everything but the way bytes reach the socket. */
export abstract class BatchedOutput {
  static readonly #flushSoon = (): void => BatchedOutput.#flushAll(soon);
  static readonly #flushLater = (): void => BatchedOutput.#flushAll(later);
  readonly #turn: Turn;
  #memory: Memory | undefined; // what is committed and not sent
  #burst = false; // since the last feed something has left already
  #waiting = false; // in `soon` or `later`

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  /** Sends the first `length` bytes of a memory. True when it may be reused at once, false when it has been given away. */
  abstract send(memory: Memory, length: number): boolean;
  /** Sends bytes that are given away. */
  protected abstract give(bytes: Uint8Array): void;
  /** Whether output is below the high-water mark. After false, `drained` is told. */
  protected abstract flowing(): boolean;

  /** Bytes that are committed and not sent. */
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

  /** Nobody else will flush this: a later moment is to. */
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

  /** Sends what is committed. */
  protected flush(): void {
    const memory = this.#memory;
    if (memory === undefined) return;
    this.#memory = undefined;
    const length = memory.used;
    memory.used = 0;
    if (length === 0 || this.send(memory, length)) takeBack(memory);
  }

  /** Forgets what is committed: the socket is being destroyed. */
  protected drop(): void {
    const memory = this.#memory;
    if (memory === undefined) return;
    this.#memory = undefined;
    memory.used = 0;
    takeBack(memory);
  }

  /** One feed: gives a connection what has arrived, or with null the news that output flows again. */
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
