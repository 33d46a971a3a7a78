/**
 * `wsgi.file_wrapper`: an iterable body of a file-like object (PEP 3333, "Optional Platform-Specific File Handling").
 *
 * Reading begins at the current position of the file, when the server pulls the first block, and ends with a read that
 * returns nothing. `close()` closes the file, once. Iterating to the end does not close it.
 *
 * @module
 */

/** A value that can be wrapped: an object with a `read(size)` method, or an async iterable of bytes such as a stream. */
export type FileLike =
  | {
    /** Up to `size` bytes; empty, null or undefined at the end. */
    read(size: number): Uint8Array | null | undefined | Promise<Uint8Array | null | undefined>;
    /** Closes the file. */
    close?(): unknown;
  }
  | (AsyncIterable<Uint8Array> & {
    /** Closes the file. */
    close?(): unknown;
  });

const DEFAULT_BLOCK_SIZE = 65536;

/**
 * An async iterable of the rest of a file, in blocks (PEP 3333, "Optional Platform-Specific File Handling").
 *
 * @example As an application gets it
 * ```ts
 * import { toFetch } from "tsgi";
 * const handler = toFetch((environ, startResponse) => {
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return environ["wsgi.file_wrapper"](new Blob(["a long text"]).stream());
 * });
 * console.assert(await (await handler(new Request("http://localhost/"))).text() === "a long text");
 * ```
 */
export class FileWrapper implements AsyncIterable<Uint8Array> {
  readonly #file: FileLike;
  readonly #blockSize: number;
  #closed = false;

  /**
   * Wraps a file.
   *
   * @param file An object with `read(size)`, or an async iterable of bytes.
   * @param blockSize Bytes to ask for at a time, 65536 unless told; streams give blocks of their own size.
   * @throws {TypeError} when `file` is neither, or `blockSize` is not a whole number above 0.
   *
   * @example
   * ```ts
   * import { FileWrapper } from "tsgi";
   * const parts = [new Uint8Array([1, 2]), new Uint8Array([3])];
   * const got: number[] = [];
   * for await (const block of new FileWrapper({ read: () => parts.shift() }, 2)) got.push(...block);
   * console.assert(got.join() === "1,2,3");
   * ```
   */
  constructor(file: FileLike, blockSize: number = DEFAULT_BLOCK_SIZE) {
    const candidate = file as { read?: unknown; [Symbol.asyncIterator]?: unknown } | null;
    const wrappable = typeof candidate === "object" && candidate !== null &&
      (typeof candidate.read === "function" || typeof candidate[Symbol.asyncIterator] === "function");
    if (!wrappable) throw new TypeError("wsgi.file_wrapper: expected an object with read(size) or an async iterable");
    if (!Number.isSafeInteger(blockSize) || blockSize < 1) {
      throw new TypeError(`wsgi.file_wrapper: expected a block size above 0, got ${blockSize}`);
    }
    this.#file = file;
    this.#blockSize = blockSize;
  }

  /** Reads the file from its current position. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const file = this.#file;
    if (Symbol.asyncIterator in file) {
      yield* file;
      return;
    }
    for (;;) {
      const block = await file.read(this.#blockSize);
      if (block === null || block === undefined || block.length === 0) return;
      yield block;
    }
  }

  /** Closes the file if it has a `close()`, and returns the result of that. A second call does nothing. */
  close(): unknown {
    if (this.#closed) return undefined;
    this.#closed = true;
    return this.#file.close?.();
  }
}
