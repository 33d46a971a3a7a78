/**
 * Output memory shared by all sockets of a process.
 *
 * Small pieces, heads above all, are copied here and leave together: at the end of the feed in which they were made, or
 * when they were made outside one, the first of them in the next microtask and what follows it at the end of the turn,
 * so that blocks that come in a burst share a system call and none ever waits for the next one to be made. What belongs
 * to one socket is always contiguous, because the memory has one owner at a time and is flushed before it changes hands.
 *
 * @module
 */

import type { Connection } from "../core/seams.ts";

/** Bytes above which a socket asks its wire to wait. */
export const HIGH_WATER_MARK = 65536;

const SIZE = 65536;
const FLUSH_AT = 45056;
const FREE_LIMIT = 64; // memories that wait to be used again

/** Runs a callback at the end of the turn of the event loop, or soon after. */
export type Turn = (callback: () => void) => void;

/** Output memory; once it has been given away with `send` it is taken back with `takeBack`. */
export interface Memory {
  /** All of it. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The part of it that was sent last: responses of one length need one view. */
  view: Uint8Array<ArrayBuffer> | undefined;
}

let memory = newMemory(SIZE);
let used = 0;
let owner: BatchedOutput | undefined;
let fed: BatchedOutput | undefined;
let scheduled = false;
const free: Memory[] = [];

function newMemory(size: number): Memory {
  return { bytes: new Uint8Array(size), view: undefined };
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
  readonly #turn: Turn;
  #burst = false; // since the last feed something has left already

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
    return owner === this ? used : 0;
  }

  get memory(): Uint8Array {
    return memory.bytes;
  }

  write(bytes: Uint8Array): boolean {
    this.flush();
    this.give(bytes);
    return this.flowing();
  }

  reserve(min: number): number {
    if (owner !== this || memory.bytes.length - used < min) {
      flush();
      owner = this;
      if (memory.bytes.length < min) memory = newMemory(min); // for this once
    }
    return used;
  }

  commit(length: number): boolean {
    used += length;
    if (used >= FLUSH_AT) flush();
    else if (fed !== this && !scheduled) {
      scheduled = true;
      if (this.#burst) this.#turn(flushScheduled);
      else queueMicrotask(flushScheduled);
      this.#burst = true;
    }
    return this.flowing();
  }

  /** Sends what is committed. */
  protected flush(): void {
    if (owner === this) flush();
  }

  /** Forgets what is committed: the socket is being destroyed. */
  protected drop(): void {
    if (owner !== this) return;
    used = 0;
    owner = undefined;
  }

  /** One feed: gives a connection what has arrived, or with null the news that output flows again. */
  protected feed(connection: Connection | undefined, bytes: Uint8Array | null): void {
    fed = this;
    this.#burst = false;
    try {
      if (bytes === null) connection?.drained();
      else connection?.receive(bytes);
    } finally {
      fed = undefined;
      flush(); // what was committed meanwhile leaves now
    }
  }
}

function flushScheduled(): void {
  scheduled = false;
  flush();
}

function flush(): void {
  const output = owner;
  if (output === undefined) return;
  owner = undefined;
  if (used === 0) return;
  const length = used;
  used = 0;
  const reusable = output.send(memory, length);
  if (!reusable || memory.bytes.length !== SIZE) memory = free.pop() ?? newMemory(SIZE);
}
