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

/** Bytes above which a socket asks its wire to wait. */
export const HIGH_WATER_MARK = 65536;

const SIZE = 65536;
const FLUSH_AT = 45056;
const FREE_LIMIT = 64; // memories that wait to be used again

/** Runs a callback at the end of the turn of the event loop, or soon after. */
export type Turn = (callback: () => void) => void;

let memory = new Uint8Array(SIZE);
let used = 0;
let owner: BatchedOutput | undefined;
let fed: BatchedOutput | undefined;
let scheduled = false;
const free: Uint8Array<ArrayBuffer>[] = [];

/** Takes memory back that was given away with `send`, once its bytes have been sent. */
export function takeBack(memory: Uint8Array<ArrayBuffer>): void {
  if (memory.length === SIZE && free.length < FREE_LIMIT) free.push(memory);
}

/** The output side of a transport: everything but the way bytes reach the socket. */
export abstract class BatchedOutput {
  readonly #turn: Turn;
  #burst = false; // since the last feed something has left already

  constructor(turn: Turn) {
    this.#turn = turn;
  }

  /** Sends committed bytes. True when their memory may be reused at once, false when it has been given away. */
  abstract send(bytes: Uint8Array): boolean;
  /** Sends bytes that are given away. */
  protected abstract give(bytes: Uint8Array): void;
  /** Whether output is below the high-water mark. After false, `drained` is told. */
  protected abstract flowing(): boolean;

  /** Bytes that are committed and not sent. */
  protected get pending(): number {
    return owner === this ? used : 0;
  }

  write(bytes: Uint8Array): boolean {
    this.flush();
    this.give(bytes);
    return this.flowing();
  }

  reserve(min: number): Uint8Array {
    if (owner !== this || memory.length - used < min) {
      flush();
      owner = this;
      if (memory.length < min) memory = new Uint8Array(min); // for this once
    }
    return used === 0 ? memory : memory.subarray(used);
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

  /** Runs one feed: what is committed during `deliver` leaves at its end. */
  protected feed(deliver: () => void): void {
    fed = this;
    this.#burst = false;
    try {
      deliver();
    } finally {
      fed = undefined;
      flush();
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
  const reusable = output.send(memory.subarray(0, used));
  used = 0;
  if (!reusable || memory.length !== SIZE) memory = free.pop() ?? new Uint8Array(SIZE);
}
