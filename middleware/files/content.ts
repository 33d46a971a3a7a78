/**
 * The octets of one file, with its validators.
 *
 * Up to 64 KiB a file is read in one piece, synchronously: that takes less time than the thread pool's answer. The octets
 * are kept in memory, and every request compares the identity of the file (device, inode, size, times) with the kept one,
 * so that no old octets are sent. Times have a limited resolution. For that reason the octets of a file that has changed
 * within the last two seconds are not kept: a second change could leave its identity the same.
 *
 * A larger file is opened and read asynchronously, block by block, as the client takes it.
 *
 * @module
 */

import type * as Crypto from "node:crypto";
import {
  close,
  closeSync,
  constants,
  fstat,
  fstatSync,
  open,
  openSync,
  read,
  readSync,
  type Stats,
  statSync,
} from "node:fs";
import process from "node:process";
import type { Validators } from "../representation/conditions.ts";
import type { Span } from "../representation/ranges.ts";
import { isAbsence } from "./path.ts";

/** Largest file that is read in one piece. */
export const SMALL = 65536;

const LARGE_BLOCKS_FROM = 1 << 20; // size of a file from which blocks are larger
const LARGE_BLOCK = 1 << 18;
const MOST_KEPT = 1 << 24; // octets of small files in memory
const SETTLED = 2000; // ms without a change
// A FIFO does not block open(), and a link that has just taken the place of the file is not followed.
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);
const NO_LINK = constants.O_NOFOLLOW ?? 0;

/** A file that is ready to be sent. If it has a descriptor, somebody has to close it: `FileBody` or `release`. */
export interface Content extends Validators {
  readonly size: number;
  readonly etag: string;
  readonly modified: number;
  /** `modified` as text. */
  readonly lastModified: string;
  /** All octets of a small file. */
  readonly bytes?: Uint8Array;
  /** The open descriptor of a larger file. */
  readonly descriptor?: number;
}

/** The metadata of a file or folder; undefined if there is none for the client. */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}

interface Kept {
  readonly content: Content;
  readonly stats: Stats;
}

function isSame(a: Stats, b: Stats): boolean {
  return a.ino === b.ino && a.mtimeMs === b.mtimeMs && a.size === b.size && a.ctimeMs === b.ctimeMs && a.dev === b.dev;
}

/** Whether a time is so long ago that a change now would give another time. */
function isSettled(time: number): boolean {
  return Date.now() - time > SETTLED;
}

/**
 * Opens files, and keeps the octets of small ones: 16 MiB at most, the least recently loaded go first.
 *
 * @example
 * ```ts
 * import { Contents, statOf } from "./content.ts";
 * const path = import.meta.filename as string;
 * const stats = statOf(path);
 * const content = stats && await new Contents().load(path, stats, () => path);
 * console.assert(content?.bytes?.length === stats?.size);
 * ```
 */
export class Contents {
  readonly #kept = new Map<string, Kept>();
  #size = 0; // octets in `#kept`

  /**
   * Gives the content of a file: at once if it is small, else a promise.
   *
   * @param stats What `statOf(path)` has just given.
   * @param resolve Gives the place of the file without links, or undefined if it may not be read. It is called unless
   *   the content is kept.
   * @returns undefined if the file cannot be read, or is no regular file.
   */
  load(
    path: string,
    stats: Stats,
    resolve: () => string | undefined,
  ): Content | undefined | Promise<Content | undefined> {
    const kept = this.#kept.get(path);
    if (kept !== undefined) {
      if (isSame(kept.stats, stats)) return kept.content;
      this.#forget(path, kept);
    }
    if (!stats.isFile()) return undefined;
    let real: string | undefined;
    try {
      real = resolve();
      if (real === undefined) return undefined;
      if (stats.size <= SMALL) {
        const loaded = readSmall(real);
        if (loaded !== undefined) {
          this.#keep(path, loaded);
          return loaded.content;
        }
      }
    } catch (error) {
      if (isAbsence(error)) return undefined;
      throw error;
    }
    return openLarge(real);
  }

  #keep(path: string, kept: Kept): void {
    if (!isSettled(Math.max(kept.stats.mtimeMs, kept.stats.ctimeMs))) return;
    this.#kept.set(path, kept);
    this.#size += kept.content.size;
    for (const [oldest, entry] of this.#kept) {
      if (this.#size <= MOST_KEPT) return;
      this.#forget(oldest, entry);
    }
  }

  #forget(path: string, { content }: Kept): void {
    this.#kept.delete(path);
    this.#size -= content.size;
  }
}

/** Reads a file in one piece; undefined if it has grown beyond what is read so. */
function readSmall(path: string): Kept | undefined {
  const descriptor = openSync(path, FLAGS | NO_LINK);
  try {
    const stats = fstatSync(descriptor);
    if (stats.size > SMALL || !stats.isFile()) return undefined;
    const bytes = new Uint8Array(stats.size);
    let size = 0;
    while (size < bytes.length) {
      const count = readSync(descriptor, bytes, size, bytes.length - size, size);
      if (count === 0) break; // it has just become shorter
      size += count;
    }
    const whole = bytes.subarray(0, size);
    return { stats, content: { ...dated(stats), size, bytes: whole, etag: hashTag(whole) } };
  } finally {
    closeSync(descriptor);
  }
}

async function openLarge(path: string): Promise<Content | undefined> {
  let descriptor: number;
  try {
    descriptor = await called<number>((done) => open(path, FLAGS | NO_LINK, done));
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
  try {
    const stats = await called<Stats>((done) => fstat(descriptor, done));
    if (stats.isFile()) return { ...dated(stats), size: stats.size, descriptor, etag: timeTag(stats) };
  } catch (error) {
    await called((done) => close(descriptor, done));
    throw error;
  }
  await called((done) => close(descriptor, done));
  return undefined;
}

let crypto: typeof Crypto | undefined;

/** The octets themselves name a small file: the tag is the same on each machine, and wherever a build sets all times equal. */
function hashTag(bytes: Uint8Array): string {
  // On Node, loading this module takes longer than all of the others that are used here.
  crypto ??= process.getBuiltinModule("node:crypto");
  return `"${crypto.createHash("sha256").update(bytes).digest("base64url").slice(0, 27)}"`;
}

/** Size and time name a larger file. The tag is weak while the file may still change within the resolution of its time. */
function timeTag(stats: Stats): string {
  return `${isSettled(stats.mtimeMs) ? "" : "W/"}"${stats.size.toString(36)}-${
    Math.floor(stats.mtimeMs).toString(36)
  }"`;
}

/** The date of a file, which is never later than now (RFC 9110 8.8.2.1). */
function dated(stats: Stats): Pick<Content, "modified" | "lastModified" | "strongDate"> {
  const modified = Math.floor(Math.max(0, Math.min(stats.mtimeMs, Date.now())) / 1000);
  return { modified, lastModified: new Date(modified * 1000).toUTCString(), strongDate: isSettled(stats.mtimeMs) };
}

/** Closes the descriptor of a content that is not sent. */
export function release({ descriptor }: Content): void {
  if (descriptor !== undefined) close(descriptor, () => {}); // it was only read, so nothing can be lost
}

function called<T>(start: (done: (error: Error | null, value?: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) =>
    start((error, value) => error === null || error === undefined ? resolve(value as T) : reject(error))
  );
}

/**
 * A body of pieces: octets, and spans of an open file, which are read when the server asks for them. `close()` closes
 * the descriptor, after a read that is still under way.
 *
 * @example
 * ```ts
 * import { openSync, readFileSync } from "node:fs";
 * import { FileBody } from "./content.ts";
 * const descriptor = openSync(import.meta.filename as string, "r");
 * const body = new FileBody(descriptor, 100, [{ start: 0, end: 3 }]);
 * const first = readFileSync(import.meta.filename as string, "latin1").slice(0, 3);
 * for await (const block of body) console.assert(new TextDecoder().decode(block) === first);
 * body.close();
 * ```
 */
export class FileBody implements AsyncIterableIterator<Uint8Array, undefined> {
  readonly #descriptor: number;
  readonly #pieces: readonly (Uint8Array | Span)[];
  readonly #block: number;
  #piece = 0;
  #position = 0; // octets of the current piece that were given
  #reading: Promise<unknown> | undefined;
  #closed = false;

  /** Takes over the descriptor of a file of `size` octets. */
  constructor(descriptor: number, size: number, pieces: readonly (Uint8Array | Span)[]) {
    this.#descriptor = descriptor;
    this.#pieces = pieces;
    this.#block = size < LARGE_BLOCKS_FROM ? SMALL : LARGE_BLOCK;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Reads a block. */
  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const piece = this.#pieces[this.#piece];
    if (piece === undefined || this.#closed) return { done: true, value: undefined };
    if (piece instanceof Uint8Array) {
      this.#piece++;
      return { done: false, value: piece };
    }
    const from = piece.start + this.#position;
    const block = new Uint8Array(Math.min(this.#block, piece.end - from));
    const reading = called<number>((done) => read(this.#descriptor, block, 0, block.length, from, done));
    this.#reading = reading;
    let count: number;
    try {
      count = await reading;
    } finally {
      this.#reading = undefined;
    }
    if (count === 0) this.#piece = Infinity; // the file has become shorter: the server cuts the response off
    if (count === 0) return { done: true, value: undefined };
    this.#position += count;
    if (from + count === piece.end) {
      this.#piece++;
      this.#position = 0;
    }
    return { done: false, value: count === block.length ? block : block.subarray(0, count) };
  }

  /** Gives no further block. */
  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#piece = Infinity;
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Closes the file. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#reading?.catch(() => {}); // the number of a closed descriptor would soon be that of another file
    await called((done) => close(this.#descriptor, done));
  }
}
