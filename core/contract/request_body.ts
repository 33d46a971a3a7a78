/**
 * The request body between a wire and `wsgi.input`: a queue of bytes with an end.
 *
 * A wire pushes the bytes that it decodes and then calls `finish` or `fail`. `wsgi.input` takes bytes out and asks the
 * wire for more through {@linkcode BodySource.wanted}; the wire then sends 100 Continue or reads again.
 * A failed body never looks like a complete one: the bytes that arrived can be taken, then the next access throws.
 *
 * @module
 */

/** The source that fills a body. The body calls it when the application waits for bytes that have not arrived. */
export interface BodySource {
  /** The application waits for more bytes. May be called again before more arrive. */
  wanted(): void;
}

/** Base of all errors of reading `wsgi.input`. If the application does not catch one, the server answers with its status. */
export class InputError extends Error {
  /** Name of the class. */
  override readonly name: string = "InputError";
  /** The status that the client gets if the application does not catch the error and the head has not been sent. */
  readonly status: string = "500 Internal Server Error";
}

/** The peer ended the body before its declared end. */
export class TruncatedBodyError extends InputError {
  /** Name of the class. */
  override readonly name = "TruncatedBodyError";
  /** What the client gets: see {@linkcode InputError.status}. */
  override readonly status = "400 Bad Request";
}

/** The body breaks the rules of its framing (RFC 9112 7.1). */
export class MalformedBodyError extends InputError {
  /** Name of the class. */
  override readonly name = "MalformedBodyError";
  /** What the client gets: see {@linkcode InputError.status}. */
  override readonly status = "400 Bad Request";
}

/** The client sent nothing of the body for `bodyTimeout`. */
export class BodyTimeoutError extends InputError {
  /** Name of the class. */
  override readonly name = "BodyTimeoutError";
  /** What the client gets: see {@linkcode InputError.status}. */
  override readonly status = "408 Request Timeout";
}

/** The body is longer than `limitRequestBody`, or has too many bytes of chunk extensions. */
export class BodyTooLargeError extends InputError {
  /** Name of the class. */
  override readonly name = "BodyTooLargeError";
  /** What the client gets: see {@linkcode InputError.status}. */
  override readonly status = "413 Content Too Large";
}

/** The client has closed the connection. This is the reason of `signal`, and `write()` rejects with it. */
export class ClientDisconnectedError extends Error {
  /** Name of the class. */
  override readonly name = "ClientDisconnectedError";
}

/** `wsgi.input` was read after the response had ended or the client had gone. */
export class InputClosedError extends InputError {
  /** Name of the class. */
  override readonly name = "InputClosedError";
}

const GATHER_LIMIT = 1024; // bytes: a larger piece is a block of its own
const GATHER_SIZE = 4096;
const NOTHING = new Uint8Array(0);
const NO_BLOCKS: Uint8Array[] = []; // shared by all bodies without blocks; nothing is ever added to it
const NEVER_WANTED: BodySource = { wanted() {} };

/** The queue of one request's body. */
export class RequestBody {
  readonly #source: BodySource;
  readonly #given: boolean; // pushed bytes belong to the body and need no copy
  #blocks: Uint8Array[] = NO_BLOCKS;
  #first = 0; // index of the oldest block that is left
  #offset = 0; // of that block: what has been taken
  #room: Uint8Array | undefined; // the memory of the last block, while small pieces may be added to it
  #buffered = 0;
  #finished = false;
  #error: Error | undefined;
  #discarded = ""; // the reason; the error is created only on access, which is rare
  #demand = 0; // bytes that the waiting read needs
  #waiting: Promise<void> | undefined;
  #wake: (() => void) | undefined;

  /** A body that `source` fills. With `given` the pushed bytes belong to the body, else they are lent. */
  constructor(source: BodySource, given: boolean = false) {
    this.#source = source;
    this.#given = given;
  }

  /** A body without bytes, complete from the start. */
  static empty(): RequestBody {
    const body = new RequestBody(NEVER_WANTED);
    body.#finished = true;
    return body;
  }

  /** Bytes that have arrived and have not been taken. */
  get buffered(): number {
    return this.#buffered;
  }

  /** Whether the body is complete and all its bytes have been taken. */
  get ended(): boolean {
    return this.#finished && this.#buffered === 0;
  }

  /** Whether the application waits for more bytes than have arrived. */
  get awaited(): boolean {
    return this.#demand > this.#buffered;
  }

  /**
   * Adds `bytes[start, end)`. Lent bytes are copied. Given bytes are kept if they fill their whole ArrayBuffer; otherwise
   * the application could see other data through `.buffer`. Small pieces are gathered in one block, so that many of them
   * need no more memory than their bytes.
   */
  push(bytes: Uint8Array, start: number = 0, end: number = bytes.length): void {
    if (this.#error !== undefined || this.#discarded !== "" || start === end) return;
    this.#buffered += end - start;
    if (end - start > GATHER_LIMIT) {
      this.#room = undefined;
      const whole = this.#given && end - start === bytes.buffer.byteLength;
      this.#add(whole ? new Uint8Array(bytes.buffer) : copyOf(bytes, start, end));
    } else {
      this.#gather(bytes, start, end);
    }
    this.#awaken();
  }

  #add(block: Uint8Array): void {
    if (this.#blocks === NO_BLOCKS) this.#blocks = [block];
    else this.#blocks.push(block);
  }

  #gather(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    const last = this.#room === undefined ? undefined : this.#blocks.at(-1);
    const filled = last === undefined ? 0 : last.length;
    if (last === undefined || filled + size > GATHER_SIZE) {
      // Most small bodies arrive in one piece, so room for more is allocated only when more arrives.
      this.#room = copyOf(bytes, start, end);
      return this.#add(this.#room);
    }
    if (filled + size > (this.#room as Uint8Array).length) {
      this.#room = new Uint8Array(GATHER_SIZE);
      this.#room.set(last);
    }
    const room = this.#room as Uint8Array;
    room.set(bytes.subarray(start, end), filled);
    this.#blocks[this.#blocks.length - 1] = room.subarray(0, filled + size);
  }

  /** All bytes have been pushed. */
  finish(): void {
    this.#finished = true;
    this.#demand = 0;
    this.#awaken();
  }

  /** The body will never be complete: reading past the bytes that have arrived throws `error`. The first error stays. */
  fail(error: Error): void {
    if (this.#finished || this.#error !== undefined || this.#discarded !== "") return;
    this.#error = error;
    this.#demand = 0;
    this.#awaken();
  }

  /** Drops all bytes; later reads throw {@linkcode InputClosedError}. */
  discard(reason: string): void {
    this.#blocks = NO_BLOCKS;
    this.#first = 0;
    this.#offset = 0;
    this.#room = undefined;
    this.#buffered = 0;
    this.#demand = 0;
    this.#discarded = reason;
    this.#awaken();
  }

  /**
   * Whether `count` bytes, or the bytes up to the end, can be taken.
   *
   * @throws {InputError} when the body failed before that many bytes.
   */
  has(count: number): boolean {
    if (this.#buffered >= count) return true;
    if (this.#error !== undefined) throw this.#error;
    if (this.#discarded !== "") throw this.#closed();
    return this.#finished;
  }

  #closed(): Error {
    return this.#error = new InputClosedError(`wsgi.input cannot be read any more: ${this.#discarded}`);
  }

  /** Takes `count` bytes, or fewer if fewer have arrived. The array belongs to the caller. */
  take(count: number): Uint8Array {
    const size = Math.min(count, this.#buffered);
    this.#demand = 0;
    const first = this.#blocks[this.#first];
    this.#buffered -= size;
    if (first !== undefined && this.#offset === 0 && first.length === size) {
      this.#shift();
      return first;
    }
    const taken = new Uint8Array(size);
    for (let filled = 0; filled < size;) {
      const block = this.#blocks[this.#first] as Uint8Array;
      const end = Math.min(block.length, this.#offset + size - filled);
      taken.set(block.subarray(this.#offset, end), filled);
      filled += end - this.#offset;
      this.#offset = end;
      if (end === block.length) this.#shift();
    }
    return taken;
  }

  /** Removes the oldest block. */
  #shift(): void {
    this.#offset = 0;
    this.#blocks[this.#first++] = NOTHING;
    if (this.#first === this.#blocks.length) {
      this.#blocks = NO_BLOCKS;
      this.#first = 0;
      this.#room = undefined; // its memory now belongs to the caller that took the block
    } else if (this.#first >= 256) {
      this.#blocks = this.#blocks.slice(this.#first);
      this.#first = 0;
    }
  }

  /** Takes the rest of the oldest block, without a copy if nothing of it has been taken yet. */
  takeBlock(): Uint8Array {
    return this.take((this.#blocks[this.#first]?.length ?? 0) - this.#offset);
  }

  /** Index of `byte` among the bytes that have arrived, from index `from` on; -1 if it is not among them. */
  indexOf(byte: number, from: number): number {
    let base = -this.#offset;
    for (let i = this.#first; i < this.#blocks.length; i++) {
      const block = this.#blocks[i] as Uint8Array;
      if (base + block.length > from) {
        const at = block.indexOf(byte, Math.max(from - base, 0));
        if (at >= 0) return base + at;
      }
      base += block.length;
    }
    return -1;
  }

  /** Asks the source for more until `demand` bytes are buffered. Settles at the next change: more bytes, end or failure. */
  more(demand: number): Promise<void> {
    this.#demand = demand;
    this.#waiting ??= new Promise((resolve) => {
      this.#wake = resolve;
    });
    const waiting = this.#waiting;
    this.#source.wanted();
    return waiting;
  }

  #awaken(): void {
    const wake = this.#wake;
    if (wake === undefined) return;
    this.#wake = undefined;
    this.#waiting = undefined;
    wake();
  }
}

/** A copy as a plain Uint8Array. Hosts may lend a subclass such as Buffer. */
function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  const copy = new Uint8Array(end - start);
  copy.set(bytes.subarray(start, end));
  return copy;
}
