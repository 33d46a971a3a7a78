/**
 * Writes a handler's output to its sink, one write after the other. If a write returns a promise, it is awaited.
 *
 * @module
 */

import { writeLatin1 } from "../core/grammar.ts";

/**
 * Error codes and names that mean that the reader has gone. CPython's handlers do not log these errors either
 * (ConnectionAbortedError, BrokenPipeError, ConnectionResetError). Codes are the system's, as Node, Bun and Deno's
 * `node:` modules report them. Names are those of Deno, and of streams whose reader has gone.
 */
const DEPARTURES: ReadonlySet<unknown> = new Set([
  "ECONNABORTED",
  "ECONNRESET",
  "EPIPE",
  "ESHUTDOWN",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_PREMATURE_CLOSE",
  "AbortError",
  "BrokenPipe",
  "ClientDisconnectedError",
  "ConnectionAborted",
  "ConnectionReset",
]);

/**
 * Whether an output error means that the reader has gone. This is not a failure of the program.
 *
 * @example
 * ```ts
 * import { isDeparture } from "./handler_output.ts";
 * console.assert(isDeparture(Object.assign(new Error("write EPIPE"), { code: "EPIPE" })));
 * console.assert(!isDeparture(Object.assign(new Error("no space left"), { code: "ENOSPC" })));
 * ```
 */
export function isDeparture(error: unknown): boolean {
  try {
    const { code, name } = Object(error) as { code?: unknown; name?: unknown };
    return DEPARTURES.has(code) || DEPARTURES.has(name);
  } catch {
    return false; // the error cannot be inspected, for example a revoked proxy
  }
}

const MARK = 65536; // bytes queued for the sink before the application has to wait

/** Passes bytes to a sink, which may be slow or may have failed. */
export class Outlet {
  /** Called when there is room again, after `flowing` was false. */
  onDrain: () => void = () => {};
  /** Called when the sink has failed, so that nobody receives the output any more. */
  onGone: () => void = () => {};
  readonly #sink: (bytes: Uint8Array) => unknown;
  readonly #failed: (error: unknown) => void;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #writing: Promise<void> | undefined;
  #gone = false;

  /** Makes an outlet to `sink`. Calls `failed` with a sink error, unless it means that the reader has gone. */
  constructor(sink: (bytes: Uint8Array) => unknown, failed: (error: unknown) => void) {
    this.#sink = sink;
    this.#failed = failed;
  }

  /** Whether the application may go on writing. */
  get flowing(): boolean {
    return this.#queued < MARK;
  }

  /** Sends bytes, at once when nothing is queued. */
  write(bytes: Uint8Array): void {
    if (this.#gone) return;
    if (this.#writing === undefined) {
      const pending = this.#put(bytes);
      if (pending === undefined) return;
      this.#queued += bytes.length;
      this.#writing = this.#drain(pending, bytes.length);
    } else {
      this.#queue.push(bytes);
      this.#queued += bytes.length;
    }
  }

  /** Sends latin-1 text. */
  writeText(text: string): void {
    const bytes = new Uint8Array(text.length);
    writeLatin1(bytes, 0, text);
    this.write(bytes);
  }

  /** Settles when everything has been written: true, or false when the sink has failed. */
  async finished(): Promise<boolean> {
    await this.#writing;
    return !this.#gone;
  }

  #put(bytes: Uint8Array): PromiseLike<unknown> | undefined {
    try {
      const outcome = this.#sink(bytes) as PromiseLike<unknown> | undefined;
      return typeof outcome?.then === "function" ? outcome : undefined;
    } catch (error) {
      this.#leave(error);
      return undefined;
    }
  }

  async #drain(pending: PromiseLike<unknown>, length: number): Promise<void> {
    try {
      await pending;
      this.#took(length);
      for (let next = this.#queue.shift(); next !== undefined && !this.#gone; next = this.#queue.shift()) {
        const more = this.#put(next);
        if (more !== undefined) await more;
        this.#took(next.length);
      }
    } catch (error) {
      this.#leave(error);
    }
    this.#writing = undefined;
  }

  #took(length: number): void {
    const waited = !this.flowing;
    this.#queued -= length;
    if (waited && this.flowing) this.onDrain();
  }

  /** Stops the output after `error`. The callbacks run in a later microtask, never inside a write. */
  #leave(error: unknown): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#queue = [];
    if (!isDeparture(error)) this.#failed(error);
    queueMicrotask(() => this.onGone());
  }
}
