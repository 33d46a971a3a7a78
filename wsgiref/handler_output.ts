/**
 * The output of a handler: one write after the other, each awaited where the sink gives a promise.
 *
 * @module
 */

/**
 * What runtimes call the errors that CPython's handlers are quiet about: ConnectionAbortedError, BrokenPipeError and
 * ConnectionResetError. Codes are the system's, as Node, Bun and Deno's `node:` modules give them; names are Deno's, and
 * those of streams whose reader has gone.
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
 * Whether an error of an output says that whoever reads it has gone, which is no failure of this side.
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
    return false; // it cannot be looked at: a revoked proxy, for one
  }
}

const MARK = 65536; // bytes that wait for the sink before the application waits

/** Passes bytes to a sink that may be slow, or gone. */
export class Outlet {
  /** Called when there is room again, after `flowing` was false. */
  onDrain: () => void = () => {};
  /** Called when the sink has failed: nobody is there any more. */
  onGone: () => void = () => {};
  readonly #sink: (bytes: Uint8Array) => unknown;
  readonly #failed: (error: unknown) => void;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #writing: Promise<void> | undefined;
  #gone = false;

  /** An outlet to `sink`; `failed` is told of an error of it that is no departure. */
  constructor(sink: (bytes: Uint8Array) => unknown, failed: (error: unknown) => void) {
    this.#sink = sink;
    this.#failed = failed;
  }

  /** Whether the application may go on. */
  get flowing(): boolean {
    return this.#queued < MARK;
  }

  /** Sends bytes, at once where nothing waits. */
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

  /** Nothing more can be written, for `error`. Told in a later microtask, never inside a write. */
  #leave(error: unknown): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#queue = [];
    if (!isDeparture(error)) this.#failed(error);
    queueMicrotask(() => this.onGone());
  }
}
