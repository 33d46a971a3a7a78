/**
 * Where logs are written: a file, or a standard stream.
 *
 * - `LogFile` writes at once, for reports that are rare and may be the last ones.
 * - `BatchedLog` collects lines and writes them together, one write at a time and none of them in the event loop. When
 *   the reader of a pipe is too slow, lines are dropped and counted: a log never holds up requests.
 *
 * Several processes append to one file: each write is a number of whole lines, and the system puts it at the end.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { closeSync, openSync, write, writeSync } from "node:fs";
import { writeStderr } from "../adapters/stderr.ts";

const FLUSH_AFTER = 100; // ms that a line may wait
const FLUSH_AT = 65536; // code units, then it does not wait
const MOST_WAITING = 8 * 1024 * 1024; // code units
const RETRY = 20; // ms, when a pipe is full

/** A log that is written at once. */
export class LogFile {
  readonly #path: string;
  #fd: number | undefined;

  /** Opens `path`; `-` is standard error. */
  constructor(path: string) {
    this.#path = path;
    this.reopen();
  }

  /** Appends text. Never throws: there is nowhere left to say why. */
  write(text: string): void {
    let bytes = Buffer.from(text);
    try {
      while (bytes.length > 0) bytes = bytes.subarray(writeSync(this.#fd ?? 2, bytes));
    } catch {
      writeStderr(bytes.toString()); // a full disk, or a pipe that takes no more just now
    }
  }

  /** Opens the file anew, after somebody has moved it away. */
  reopen(): void {
    if (this.#path === "-") return;
    const old = this.#fd;
    this.#fd = openSync(this.#path, "a", 0o644);
    if (old !== undefined) closeSync(old);
  }
}

/** A log that is written in batches. */
export class BatchedLog {
  readonly #path: string;
  #fd: number;
  #waiting = "";
  #writing: Buffer | undefined;
  #reopen = false;
  #dropped = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed: (() => void) | undefined;

  /** Opens `path`; `-` is standard output. */
  constructor(path: string) {
    this.#path = path;
    this.#fd = this.#open();
  }

  #open(): number {
    return this.#path === "-" ? 1 : openSync(this.#path, "a", 0o644);
  }

  /** Appends a line, later. */
  line(text: string): void {
    if (this.#waiting.length > MOST_WAITING) {
      this.#dropped++;
      return;
    }
    this.#waiting += `${text}\n`;
    if (this.#writing !== undefined) return;
    if (this.#waiting.length >= FLUSH_AT) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), FLUSH_AFTER);
  }

  /** Opens the file anew, behind what is being written. */
  reopen(): void {
    if (this.#path === "-") return;
    if (this.#writing !== undefined) {
      this.#reopen = true;
      return;
    }
    this.#reopen = false;
    const old = this.#fd;
    try {
      this.#fd = this.#open();
      closeSync(old);
    } catch (error) {
      writeStderr(`tsgi: cannot reopen ${this.#path}: ${(error as Error).message}\n`);
    }
  }

  /** Writes what is left, without waiting for more; settles when it is written. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#closed = resolve;
      if (this.#writing === undefined) this.#flush();
    });
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#dropped > 0) this.#waiting += `tsgi: ${this.#dropped} lines of the access log were dropped\n`;
    this.#dropped = 0;
    this.#writing = Buffer.from(this.#waiting);
    this.#waiting = "";
    this.#writeOn();
  }

  #writeOn(): void {
    const bytes = this.#writing;
    if (bytes === undefined) return;
    if (bytes.length === 0) return this.#written();
    write(this.#fd, bytes, 0, bytes.length, null, (error, written) => {
      if (error !== null && error.code === "EAGAIN") {
        setTimeout(() => this.#writeOn(), RETRY);
        return;
      }
      if (error !== null || written === bytes.length) return this.#written();
      this.#writing = bytes.subarray(written);
      this.#writeOn();
    });
  }

  /** A batch is written, or cannot be. */
  #written(): void {
    this.#writing = undefined;
    if (this.#reopen) this.reopen();
    if (this.#closed === undefined) {
      if (this.#waiting !== "") this.#timer ??= setTimeout(() => this.#flush(), FLUSH_AFTER);
    } else if (this.#waiting !== "") {
      this.#flush();
    } else {
      if (this.#path !== "-") closeSync(this.#fd);
      this.#closed();
    }
  }
}
