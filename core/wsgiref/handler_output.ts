/**
 * The output of a handler: one write after the other, each awaited where the sink gives a promise.
 *
 * @module
 */

const MARK = 65536; // bytes that wait for the sink before the application waits

/** Passes bytes to a sink that may be slow, or gone. */
export class Outlet {
  /** Called when there is room again, after `flowing` was false. */
  onDrain: () => void = () => {};
  /** Called when the sink has failed: nobody is there any more. */
  onGone: () => void = () => {};
  readonly #sink: (bytes: Uint8Array) => unknown;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #writing: Promise<void> | undefined;
  #gone = false;

  /** An outlet to `sink`. */
  constructor(sink: (bytes: Uint8Array) => unknown) {
    this.#sink = sink;
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
    } catch {
      this.#leave();
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
    } catch {
      this.#leave();
    }
    this.#writing = undefined;
  }

  #took(length: number): void {
    const waited = !this.flowing;
    this.#queued -= length;
    if (waited && this.flowing) this.onDrain();
  }

  /** Why is nobody's business here: a client that goes is no error. Told in a later microtask, never inside a write. */
  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#queue = [];
    queueMicrotask(() => this.onGone());
  }
}
