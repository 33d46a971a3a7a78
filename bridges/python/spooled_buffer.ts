/**
 * A queue of blocks between a fast writer and a slow reader: in memory up to a limit, beyond it in a file.
 *
 * It lets a Python thread go on to its next request while a slow client takes the response, and lets a request wait for
 * its slow body without a thread. The file is removed from its folder as soon as it is open, so that nothing is left of
 * it, however the process ends. Once the reader has caught up, memory is used again.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { close, open, read, unlink, write } from "node:fs";
import { join } from "node:path";

const MOST_UNWRITTEN = 4 * 1024 * 1024; // bytes that may wait to be written to the file before the writer has to pause
const READ = 256 * 1024; // bytes to read from the file at a time
let names = 0;

/** A queue of blocks with one writer and one reader. */
export class SpooledBuffer {
  /** Bytes that were pushed. */
  length: number = 0;
  readonly #limit: number;
  readonly #folder: string;
  readonly #most: number;
  #memory: Uint8Array[] = [];
  #inMemory = 0;
  #unwritten: Uint8Array[] | undefined; // defined while blocks go to the file
  #unwrittenBytes = 0;
  #writing = false;
  #descriptor: number | undefined;
  #readAt = 0;
  #writeAt = 0;
  #ended = false;
  #failure: unknown;
  #failed = false;
  #closed = false;
  #reading = false;
  #reader: (() => void) | undefined; // wakes the reader
  #writer: (() => void) | undefined; // wakes the writer

  /** A buffer with at most `limit` bytes in memory, and about `most` in its file, which is in `folder`. */
  constructor(limit: number, folder: string, most: number = Infinity) {
    this.#limit = limit;
    this.#folder = folder;
    this.#most = most;
  }

  /** Whether the writer is to wait for `drained`: the disk is slower than it, or the file is as large as it may be. */
  get isFull(): boolean {
    return this.#unwrittenBytes > MOST_UNWRITTEN || this.#writeAt - this.#readAt > this.#most;
  }

  /** The blocks, if all are in memory. */
  get blocks(): readonly Uint8Array[] | undefined {
    return this.#unwritten === undefined ? this.#memory : undefined;
  }

  /** Calls `resume` once the writer need not wait any more. */
  drained(resume: () => void): void {
    this.#writer = resume;
  }

  /** Adds a block. */
  push(block: Uint8Array): void {
    if (this.#closed || block.length === 0) return;
    this.length += block.length;
    if (this.#unwritten === undefined && this.#inMemory + block.length <= this.#limit) {
      this.#memory.push(block);
      this.#inMemory += block.length;
      return this.#wakeReader();
    }
    (this.#unwritten ??= []).push(block);
    this.#unwrittenBytes += block.length;
    if (!this.#writing) void this.#write();
  }

  /** No further block comes. */
  end(): void {
    this.#ended = true;
    this.#wakeReader();
  }

  /** No further block comes, and the reader gets an error behind those that are there. */
  fail(error: unknown): void {
    this.#failed = true;
    this.#failure = error;
    this.end();
  }

  /** The next block, or undefined at the end. Only one call may wait at a time. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      const block = this.#memory.shift();
      if (block !== undefined) {
        this.#inMemory -= block.length;
        return block;
      }
      if (this.#closed) return undefined;
      if (this.#readAt < this.#writeAt) return await this.#read();
      if (this.#unwritten !== undefined && !this.#writing && this.#unwrittenBytes === 0) this.#useMemory();
      if (this.#unwritten === undefined && this.#ended) {
        if (this.#failed) throw this.#failure;
        return undefined;
      }
      await new Promise<void>((wake) => this.#reader = wake);
    }
  }

  /** Drops all blocks and closes the file. */
  close(): void {
    this.#closed = true;
    this.#memory = [];
    this.#unwritten = undefined;
    this.#unwrittenBytes = 0;
    this.#wakeReader();
    this.#wakeWriter();
    this.#release();
  }

  /** The reader has caught up with the file. */
  #useMemory(): void {
    this.#unwritten = undefined;
    this.#readAt = this.#writeAt = 0; // the file is written over
  }

  /** Closes the descriptor as soon as nothing uses it. */
  #release(): void {
    if (this.#descriptor === undefined || this.#writing || this.#reading) return;
    close(this.#descriptor, () => {});
    this.#descriptor = undefined;
  }

  async #read(): Promise<Uint8Array> {
    const target = Buffer.allocUnsafe(Math.min(READ, this.#writeAt - this.#readAt));
    this.#reading = true;
    try {
      const count = await new Promise<number>((resolve, reject) =>
        read(
          this.#descriptor as number,
          target,
          0,
          target.length,
          this.#readAt,
          (error, n) => error === null ? resolve(n) : reject(error),
        )
      );
      if (count === 0) throw new Error("a spool file is shorter than what was written to it");
      this.#readAt += count;
      if (!this.isFull) this.#wakeWriter();
      return target.subarray(0, count);
    } finally {
      this.#reading = false;
      if (this.#closed) this.#release();
    }
  }

  /** Writes what waits, until nothing does. An error of the disk goes to the reader. */
  async #write(): Promise<void> {
    this.#writing = true;
    try {
      this.#descriptor ??= await anonymousFile(this.#folder);
      while (this.#unwrittenBytes > 0) {
        const bytes = Buffer.concat(this.#unwritten as Uint8Array[]);
        this.#unwritten = [];
        await writeAll(this.#descriptor, bytes, this.#writeAt);
        if (this.#closed) break;
        this.#writeAt += bytes.length;
        this.#unwrittenBytes -= bytes.length;
        this.#wakeReader();
        if (!this.isFull) this.#wakeWriter();
      }
    } catch (error) {
      this.#unwritten = undefined;
      this.#unwrittenBytes = 0;
      this.fail(error);
      this.#wakeWriter();
    } finally {
      this.#writing = false;
      this.#wakeReader();
      if (this.#closed) this.#release();
    }
  }

  #wakeReader(): void {
    const wake = this.#reader;
    this.#reader = undefined;
    wake?.();
  }

  #wakeWriter(): void {
    const wake = this.#writer;
    this.#writer = undefined;
    wake?.();
  }
}

/** Opens a new file and removes its name. */
function anonymousFile(folder: string): Promise<number> {
  const path = join(folder, `spool-${++names}`);
  return new Promise((resolve, reject) =>
    open(path, "wx+", 0o600, (error, descriptor) => {
      if (error !== null) return reject(error);
      unlink(path, () => resolve(descriptor));
    })
  );
}

async function writeAll(descriptor: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await new Promise<number>((resolve, reject) =>
      write(
        descriptor,
        bytes,
        at,
        bytes.length - at,
        position + at,
        (error, n) => error === null ? resolve(n) : reject(error),
      )
    );
  }
}
