/**
 * FastCGI records, the units of all data on a connection (FastCGI 1.0, 3.3 and 8).
 *
 *     version 1 | type 1 | requestId 2 | contentLength 2 | paddingLength 1 | reserved 1 | content | padding
 *
 * The decoder accepts bytes split anywhere. It keeps only an incomplete header; it passes content on as it arrives and
 * drops padding. The web server need not align its records. Ours have no padding, since nobody reads them in place.
 *
 * @module
 */

/** The only version there is. */
export const FCGI_VERSION_1 = 1;

/** Bytes of a record header. */
export const FCGI_HEADER_LEN = 8;

/** The record types in use (FastCGI 1.0, 8). */
export const FCGI_BEGIN_REQUEST = 1;
export const FCGI_ABORT_REQUEST = 2;
export const FCGI_END_REQUEST = 3;
export const FCGI_PARAMS = 4;
export const FCGI_STDIN = 5;
export const FCGI_STDOUT = 6;
export const FCGI_GET_VALUES = 9;
export const FCGI_GET_VALUES_RESULT = 10;
export const FCGI_UNKNOWN_TYPE = 11;

/** The requestId of management records, which do not concern a request. */
export const FCGI_NULL_REQUEST_ID = 0;

/** Flag of BEGIN_REQUEST: the connection stays open after the request. */
export const FCGI_KEEP_CONN = 1;

/** The only role that is served (FastCGI 1.0, 6.2). */
export const FCGI_RESPONDER = 1;

/** The values in use of protocolStatus in END_REQUEST (FastCGI 1.0, 5.5). */
export const FCGI_REQUEST_COMPLETE = 0;
export const FCGI_OVERLOADED = 2;
export const FCGI_UNKNOWN_ROLE = 3;

/** The other side sent invalid FastCGI, so the rest of the connection cannot be decoded. */
export class ProtocolError extends Error {
  /** Name of the class. */
  override readonly name = "ProtocolError";
}

/** A receiver of decoded records. */
export interface RecordSink {
  /** A header has arrived; `length` bytes of content follow. */
  recordBegins(type: number, id: number, length: number): void;
  /** Content has arrived: `bytes[start, end)`, never empty, lent for the call. */
  recordContent(bytes: Uint8Array, start: number, end: number): void;
  /** The content is complete. */
  recordEnds(): void;
}

/**
 * Decodes records from a stream of bytes.
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
  readonly #header: Uint8Array = new Uint8Array(FCGI_HEADER_LEN); // a header that arrives in pieces
  #filled = 0;
  #content = 0; // bytes that have not arrived
  #padding = 0;

  /** Whether the current record is incomplete. */
  get begun(): boolean {
    return this.#filled + this.#content + this.#padding > 0;
  }

  /**
   * Decodes one part of `bytes[at, end)`, which must not be empty: a header or a byte of it, content, or padding. Returns
   * the index behind it.
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
