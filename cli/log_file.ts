/**
 * Writes a log to a file or a stream, without ever delaying requests.
 *
 * Text is written at once, or collected for a moment and written together. Text that a stream cannot take yet is kept
 * up to a bound; text beyond it is dropped. Lines that are lost, because the reader is slow or a write fails, are
 * counted. The number is reported once: when writing works again, after a while if it does not, or at the end.
 *
 * Several processes write to the same log. To a file, the system appends each write atomically. To a pipe, it does so
 * for up to 4096 bytes, PIPE_BUF. So each write to a pipe consists of as many whole lines as fit, and a longer line is
 * cut.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { write, writeSync } from "node:fs";
import process from "node:process";
import { closeLog, type OpenLog, openLog, type Standard, standardOf } from "./log_open.ts";
import type { Identity } from "./user.ts";

const FLUSH_AT = 65536; // code units of collected text, at which it is written without further delay
const MOST_WAITING = 8 * 1024 * 1024; // code units that are kept for a slow reader
const RETRY = 20; // ms until the next try when a stream has no room
const PIPE_BUF = 4096; // bytes
const LINE_END = 10;
const FIRST_REPORT = 1000; // ms from the first lost line to the first report
const LATER_REPORT = 60_000; // ms from a lost line to a later report
const CUT = " [cut]\n";
const LAST_MOMENT = 50; // ms that a write in a thread has to finish when the process exits

/** Options of a log. */
export interface LogFileOptions {
  /** Its path; `-` stands for the stream `standard`. */
  readonly path: string;
  readonly standard: Standard;
  /** The owner that root gives to the file. */
  readonly owner?: Identity | undefined;
  /** Milliseconds for which text is collected. With 0 it is written at once, to a disk synchronously. */
  readonly delay: number;
  /** Called with the number of lost lines and the reason. */
  readonly lost: (lines: number, why: string) => void;
  /** Called with the reason when the file could not be reopened. */
  readonly failed: (why: string) => void;
  /** Whether `lost` writes to this same log. If so, it is called only once writing works again, or at the end. */
  readonly reportsItself?: boolean;
  /** Called with the text that could not be written. */
  readonly instead?: ((text: string) => void) | undefined;
}

/** The standard streams of Deno, whose writes wait in a thread. */
declare const Deno: Record<"stdout" | "stderr", { write(bytes: Uint8Array): Promise<number> }>;

/** A log that is written to a file or a stream. */
export class LogFile {
  readonly #options: LogFileOptions;
  #open: OpenLog;
  #write: (bytes: Buffer) => number | Promise<number>;
  #waiting = "";
  #pieces: Buffer[] = [];
  #busy = false;
  #torn = false; // the last write left a partial line
  #reopen = false;
  #lost = 0;
  #why = "";
  #timer: ReturnType<typeof setTimeout> | undefined;
  #reportTimer: ReturnType<typeof setTimeout> | undefined;
  #reports = 0;
  #flushed: (() => void) | undefined;
  #closing: Promise<void> | undefined;
  #closed = false;

  /**
   * Opens the log.
   *
   * @throws the system's error when it cannot be opened for writing.
   */
  constructor(options: LogFileOptions) {
    this.#options = options;
    this.#open = openLog(options.path, options.standard, options.owner);
    this.#write = this.#outlet();
  }

  /** Most bytes of a line that is not cut, without its line end. */
  get mostLine(): number {
    return this.#open.file ? Infinity : PIPE_BUF - 1;
  }

  /** Appends text: whole lines, or a line in parts. Never throws. */
  write(text: string): void {
    if (this.#closed || text === "") return; // the number of its descriptor may be reused by now
    if (this.#waiting.length > MOST_WAITING) return this.#lose(linesOf(text), "nobody has read it");
    this.#waiting += text;
    if (!this.#busy) this.#writeSoon();
  }

  /** Reopens the file after log rotation has moved it, once the write in progress is done. */
  reopen(): void {
    const { path, standard, owner, failed } = this.#options;
    if (this.#closed || standardOf(path, standard) !== undefined) return;
    if (!this.#busy && this.#waiting !== "") this.#writeWaiting(); // these lines belong to the file that was moved
    this.#reopen = this.#busy;
    if (this.#busy) return;
    try {
      const old = this.#open;
      this.#open = openLog(path, standard, owner);
      this.#write = this.#outlet();
      this.#torn = false;
      closeLog(old);
    } catch (error) {
      failed((error as Error).message);
    }
  }

  /** Writes the collected text now; settles when it is written or has failed. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#flushed;
      this.#flushed = () => {
        before?.();
        resolve();
      };
      if (!this.#busy) this.#writeWaiting();
    });
  }

  /** Flushes, reports how many lines were lost, and closes the log. */
  close(): Promise<void> {
    return this.#closing ??= this.flush().then(() => {
      if (this.#lost > 0) this.#report();
      this.#closed = true;
      closeLog(this.#open);
    });
  }

  /** Blocks briefly at the exit of the process, so that a write in a thread can finish without the event loop. */
  lastMoment(): void {
    if (!this.#busy || !this.#open.waits) return;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)), 0, 0, LAST_MOMENT);
  }

  #outlet(): (bytes: Buffer) => number | Promise<number> {
    const { fd, file, waits } = this.#open;
    if (waits && process.versions.deno !== undefined) {
      return (bytes) => (fd === 1 ? Deno.stdout : Deno.stderr).write(bytes);
    }
    if (!waits && !(file && this.#options.delay > 0)) return (bytes) => writeSync(fd, bytes);
    return (bytes) =>
      new Promise((resolve, reject) => {
        write(fd, bytes, 0, bytes.length, null, (error, count) => error === null ? resolve(count) : reject(error));
      });
  }

  #writeSoon(): void {
    const { delay } = this.#options;
    if (delay === 0 || this.#waiting.length >= FLUSH_AT) this.#writeWaiting();
    else this.#timer ??= setTimeout(() => this.#writeWaiting(), delay);
  }

  #writeWaiting(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    // The next line may be that of another process, so a partial line gets its end even if nothing waits.
    const text = this.#torn ? `\n${this.#waiting}` : this.#waiting;
    if (text !== "") this.#pieces = this.#open.file ? [Buffer.from(text)] : wholeLines(text);
    this.#waiting = "";
    this.#writeOn();
  }

  /** Writes the pieces until the system takes no more. */
  #writeOn(): void {
    this.#busy = true;
    try {
      for (let piece = this.#pieces[0]; piece !== undefined; piece = this.#pieces[0]) {
        const count = this.#write(piece);
        if (typeof count !== "number") {
          count.then((taken) => {
            this.#taken(taken);
            this.#writeOn();
          }, (error) => this.#refused(error));
          return;
        }
        this.#taken(count);
      }
    } catch (error) {
      return this.#refused(error as NodeJS.ErrnoException);
    }
    this.#done(true);
  }

  #taken(count: number): void {
    const piece = this.#pieces[0] as Buffer;
    this.#torn = count < piece.length;
    if (this.#torn) this.#pieces[0] = piece.subarray(count);
    else this.#pieces.shift();
  }

  #refused(error: NodeJS.ErrnoException): void {
    if (error.code === "EAGAIN" || error.name === "WouldBlock") {
      setTimeout(() => this.#writeOn(), RETRY);
      return;
    }
    const unwritten = Buffer.concat(this.#pieces).toString();
    const text = this.#torn ? unwritten.replace(/^\n/, "") : unwritten; // that line end is no line
    this.#pieces = [];
    const { code = "", message } = error; // Deno's message does not contain the code
    if (text !== "") this.#lose(linesOf(text), message.startsWith(code) ? message : `${code}: ${message}`);
    if (text !== "") this.#options.instead?.(text);
    this.#done(false);
  }

  /** Handles the end of a write: reports, reopens, writes text that has come since, and settles `flush`. */
  #done(succeeded: boolean): void {
    this.#busy = false;
    if (succeeded && this.#lost > 0) this.#report();
    if (this.#reopen) this.reopen();
    if (this.#busy) return; // it writes a message about this log itself
    if (this.#waiting !== "") return this.#flushed === undefined ? this.#writeSoon() : this.#writeWaiting();
    this.#flushed?.();
    this.#flushed = undefined;
  }

  #lose(lines: number, why: string): void {
    this.#lost += lines;
    this.#why = why;
    if (this.#options.reportsItself === true) return;
    this.#reportTimer ??= setTimeout(() => this.#report(), this.#reports === 0 ? FIRST_REPORT : LATER_REPORT);
  }

  #report(): void {
    clearTimeout(this.#reportTimer);
    this.#reportTimer = undefined;
    const lines = this.#lost;
    this.#lost = 0;
    this.#reports++;
    if (lines > 0) this.#options.lost(lines, this.#why);
  }
}

function linesOf(text: string): number {
  return text === "" ? 0 : Math.max(1, text.split("\n").length - (text.endsWith("\n") ? 1 : 0));
}

/** Splits text into pieces of at most PIPE_BUF bytes, each of whole lines. An unfinished line counts as a line. */
function wholeLines(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  const pieces: Buffer[] = [];
  let at = 0;
  while (bytes.length - at > PIPE_BUF) {
    const end = bytes.lastIndexOf(LINE_END, at + PIPE_BUF - 1);
    if (end >= at) {
      pieces.push(bytes.subarray(at, end + 1));
      at = end + 1;
    } else {
      let most = at + PIPE_BUF - CUT.length;
      while (((bytes[most] as number) & 0xc0) === 0x80) most--; // do not cut within a UTF-8 character
      pieces.push(Buffer.concat([bytes.subarray(at, most), Buffer.from(CUT)]));
      const next = bytes.indexOf(LINE_END, at);
      at = next < 0 ? bytes.length : next + 1;
    }
  }
  if (at < bytes.length) pieces.push(bytes.subarray(at));
  return pieces;
}
