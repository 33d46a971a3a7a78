/**
 * The frames between tsgi and its Python processes. `bridges/python/child.py` describes their types and has the other
 * side.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** The length of a frame's head: its type and the length of its content. */
const HEAD = 5;

/** The type of a frame: an ASCII letter. */
export type FrameType = number;

/** The number of a letter. */
const letter = (name: string): FrameType => name.charCodeAt(0);

/** The connection is for reports. */
export const CONTROL: FrameType = letter("C");
/** The connection is for requests. */
export const LINK: FrameType = letter("N");
/** The application wants a block of the body. */
export const PULL: FrameType = letter("P");
/** Status and headers. */
export const RESPONSE_HEAD: FrameType = letter("H");
/** A block of the response. */
export const DATA: FrameType = letter("D");
/** The response is complete. */
export const END: FrameType = letter("E");
/** The application failed. */
export const TRACEBACK: FrameType = letter("T");
/** Text for `wsgi.errors`. */
export const ERROR_TEXT: FrameType = letter("G");
/** The thread waits for a request. */
export const IDLE: FrameType = letter("I");
/** Report: the application is loaded. */
export const LOADED: FrameType = letter("L");
/** Report: the application does not load. */
export const NOT_LOADED: FrameType = letter("F");
/** Report: the files of the modules. */
export const FILES: FrameType = letter("M");
/** Report: the process is to be replaced. */
export const QUIT: FrameType = letter("Q");

/** Receives the frames of a connection. The content is valid during the call only. */
export type FrameHandler = (type: FrameType, content: Buffer) => void;

/** Finds the frames in the bytes of a connection. It passes a block of a response on in the parts that arrive. */
export class FrameReader {
  readonly #handler: FrameHandler;
  #parts: Buffer[] = []; // an incomplete frame
  #length = 0; // bytes in them
  #needed: number = HEAD; // bytes that complete it, as far as is known
  #data = 0; // bytes of a block that have not arrived

  /** A reader that passes frames to `handler`. */
  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** Reads bytes, which may be split anywhere. */
  push(bytes: Buffer): void {
    if (this.#length > 0) {
      this.#parts.push(bytes);
      this.#length += bytes.length;
      if (this.#length < this.#needed) return;
      bytes = Buffer.concat(this.#parts);
      this.#parts = [];
      this.#length = 0;
    }
    let at = 0;
    while (at < bytes.length) {
      if (this.#data > 0) {
        const end = Math.min(at + this.#data, bytes.length);
        this.#data -= end - at;
        this.#handler(DATA, bytes.subarray(at, end));
        at = end;
        continue;
      }
      this.#needed = HEAD;
      if (bytes.length - at < HEAD) break;
      const type = bytes[at] as number;
      const length = bytes.readUInt32BE(at + 1);
      if (type === DATA) {
        this.#data = length;
        at += HEAD;
        continue;
      }
      this.#needed = HEAD + length;
      if (bytes.length - at < this.#needed) break;
      const content = bytes.subarray(at + HEAD, at + this.#needed);
      at += this.#needed;
      this.#handler(type, content);
    }
    if (at === bytes.length) return;
    this.#parts = [bytes.subarray(at)];
    this.#length = bytes.length - at;
  }
}

/** The frame of a request: the environ, and the whole body or null if it is to be pulled. */
export function requestFrame(environ: string, body: readonly Uint8Array[] | null): Buffer {
  const size = Buffer.byteLength(environ);
  const bytes = body === null ? 0 : body.reduce((sum, block) => sum + block.length, 0);
  const frame = Buffer.allocUnsafe(HEAD + HEAD + size + bytes);
  frame[0] = letter("R");
  frame.writeUInt32BE(HEAD + size + bytes, 1);
  frame[HEAD] = body === null ? 0 : 1;
  frame.writeUInt32BE(size, HEAD + 1);
  let at = HEAD + HEAD + frame.write(environ, HEAD + HEAD);
  for (const block of body ?? []) {
    frame.set(block, at);
    at += block.length;
  }
  return frame;
}

/** The head of a frame with a block of the request body; an empty block is the end of the body. */
export function blockHead(length: number): Buffer {
  return head("B", length);
}

/** The frame that says why the request body cannot be read. */
export function failureFrame(reason: string): Buffer {
  return Buffer.concat([head("X", Buffer.byteLength(reason)), Buffer.from(reason)]);
}

/** The frame that says that nobody wants the rest of the response. */
export function abortFrame(): Buffer {
  return head("A", 0);
}

function head(type: string, length: number): Buffer {
  const frame = Buffer.allocUnsafe(HEAD);
  frame[0] = letter(type);
  frame.writeUInt32BE(length, 1);
  return frame;
}
