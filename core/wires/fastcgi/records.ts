/**
 * FastCGI records: what everything on a connection is cut into (FastCGI 1.0, 3.3 and 8).
 *
 *     version 1 | type 1 | requestId 2 | contentLength 2 | paddingLength 1 | reserved 1 | content | padding
 *
 * The decoder is given bytes in any split. It keeps nothing but a header that has not wholly come: content is passed on
 * as it arrives, padding is dropped. The web server need not align its records, and ours are not padded: nobody reads
 * them in place.
 *
 * @module
 */

/** The only version there is. */
export const FCGI_VERSION_1 = 1;

/** Bytes of a record header. */
export const FCGI_HEADER_LEN = 8;

/** Record types (FastCGI 1.0, 8). */
export const FCGI_BEGIN_REQUEST = 1;
export const FCGI_ABORT_REQUEST = 2;
export const FCGI_END_REQUEST = 3;
export const FCGI_PARAMS = 4;
export const FCGI_STDIN = 5;
export const FCGI_STDOUT = 6;
export const FCGI_STDERR = 7;
export const FCGI_DATA = 8;
export const FCGI_GET_VALUES = 9;
export const FCGI_GET_VALUES_RESULT = 10;
export const FCGI_UNKNOWN_TYPE = 11;

/** The requestId of management records: those that concern no request. */
export const FCGI_NULL_REQUEST_ID = 0;

/** Flags of BEGIN_REQUEST: the connection stays open behind the request. */
export const FCGI_KEEP_CONN = 1;

/** Roles (FastCGI 1.0, 6). */
export const FCGI_RESPONDER = 1;
export const FCGI_AUTHORIZER = 2;
export const FCGI_FILTER = 3;

/** Values of protocolStatus in END_REQUEST (FastCGI 1.0, 5.5). */
export const FCGI_REQUEST_COMPLETE = 0;
export const FCGI_CANT_MPX_CONN = 1;
export const FCGI_OVERLOADED = 2;
export const FCGI_UNKNOWN_ROLE = 3;

/** The other side does not speak FastCGI: what follows on the connection means nothing. */
export class ProtocolError extends Error {
  /** Name of the class. */
  override readonly name = "ProtocolError";
}

/** Who is told of records. */
export interface RecordSink {
  /** A header has come; its `length` bytes of content follow. */
  recordBegins(type: number, id: number, length: number): void;
  /** Content has come: `bytes[start, end)`, never empty, lent for the call. */
  recordContent(bytes: Uint8Array, start: number, end: number): void;
  /** The content is complete. */
  recordEnds(): void;
}

/**
 * Takes records out of a stream of bytes.
 *
 * @example
 * ```ts
 * import { RecordDecoder } from "./records.ts";
 * const bytes = new Uint8Array([1, 5, 0, 7, 0, 2, 1, 0, 104, 105, 0]); // STDIN of request 7: "hi", one byte of padding
 * let text = "";
 * const sink = {
 *   recordBegins: (type: number, id: number, length: number) => void (text += `${type} ${id} ${length} `),
 *   recordContent: (all: Uint8Array, start: number, end: number) =>
 *     void (text += String.fromCharCode(...all.subarray(start, end))),
 *   recordEnds: () => void (text += "."),
 * };
 * const decoder = new RecordDecoder();
 * for (let at = 0; at < bytes.length;) at = decoder.step(bytes, at, bytes.length, sink);
 * console.assert(text === "5 7 2 hi." && !decoder.begun);
 * ```
 */
export class RecordDecoder {
  readonly #header: Uint8Array = new Uint8Array(FCGI_HEADER_LEN); // one that came in pieces
  #filled = 0;
  #content = 0; // bytes that have not come
  #padding = 0;

  /** Whether a part of a record has come and another has not. */
  get begun(): boolean {
    return this.#filled + this.#content + this.#padding > 0;
  }

  /**
   * Decodes one thing from `bytes[at, end)`, which is not empty: a header, some content, or some padding. Returns the
   * index behind it.
   *
   * @throws {ProtocolError} for a header of another version.
   */
  step(bytes: Uint8Array, at: number, end: number, sink: RecordSink): number {
    if (this.#content > 0) {
      const stop = Math.min(end, at + this.#content);
      this.#content -= stop - at;
      sink.recordContent(bytes, at, stop);
      if (this.#content === 0) sink.recordEnds();
      return stop;
    }
    if (this.#padding > 0) {
      const stop = Math.min(end, at + this.#padding);
      this.#padding -= stop - at;
      return stop;
    }
    if (this.#filled === 0 && end - at >= FCGI_HEADER_LEN) {
      this.#begin(bytes, at, sink);
      return at + FCGI_HEADER_LEN;
    }
    this.#header[this.#filled++] = bytes[at] as number;
    if (this.#filled === FCGI_HEADER_LEN) {
      this.#filled = 0;
      this.#begin(this.#header, 0, sink);
    }
    return at + 1;
  }

  #begin(header: Uint8Array, at: number, sink: RecordSink): void {
    const version = header[at] as number;
    if (version !== FCGI_VERSION_1) {
      throw new ProtocolError(`a record of version ${version}; expected version ${FCGI_VERSION_1}`);
    }
    const length = uint16(header, at + 4);
    this.#content = length;
    this.#padding = header[at + 6] as number;
    sink.recordBegins(header[at + 1] as number, uint16(header, at + 2), length);
    if (length === 0) sink.recordEnds();
  }
}

function uint16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/**
 * Writes a record header without padding into memory; returns the index behind it.
 *
 * @example
 * ```ts
 * import { FCGI_STDOUT, writeHeader } from "./records.ts";
 * const memory = new Uint8Array(8);
 * console.assert(writeHeader(memory, 0, FCGI_STDOUT, 258, 3) === 8 && memory.join() === "1,6,1,2,0,3,0,0");
 * ```
 */
export function writeHeader(target: Uint8Array, at: number, type: number, id: number, length: number): number {
  target[at] = FCGI_VERSION_1;
  target[at + 1] = type;
  target[at + 2] = id >> 8;
  target[at + 3] = id & 0xff;
  target[at + 4] = length >> 8;
  target[at + 5] = length & 0xff;
  target[at + 6] = 0;
  target[at + 7] = 0;
  return at + FCGI_HEADER_LEN;
}

/** Writes a whole END_REQUEST record into memory; returns the index behind it. */
export function writeEndRequest(
  target: Uint8Array,
  at: number,
  id: number,
  appStatus: number,
  protocolStatus: number,
): number {
  const body = writeHeader(target, at, FCGI_END_REQUEST, id, 8);
  target.fill(0, body, body + 8);
  target[body + 3] = appStatus;
  target[body + 4] = protocolStatus;
  return body + 8;
}
