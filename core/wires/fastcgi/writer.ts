/**
 * Writes the records of one FastCGI connection to the transport.
 *
 * Output of up to one record is copied into memory that the transport lends, so that a head, a small body and END_REQUEST
 * are sent together. Larger blocks are copied too while output flows, 32 KiB at a time, because a copy costs less than a
 * system call for the eight bytes of a header. Once output does not flow, the rest of a block is passed on without a copy.
 *
 * @module
 */

import { writeLatin1 } from "../../grammar.ts";
import type { TransportWriter } from "../../lifecycle/transport_writer.ts";
import type { Octets } from "../../seams.ts";
import { FCGI_GET_VALUES_RESULT, FCGI_HEADER_LEN, FCGI_NULL_REQUEST_ID, FCGI_STDOUT } from "./records.ts";
import { writeEndRequest, writeHeader } from "./records.ts";

const RECORD = 32768; // bytes of our longest records, which a transport sends at once
const CONTENT = RECORD - FCGI_HEADER_LEN;
const END_REQUEST = 2 * FCGI_HEADER_LEN;

/** Writes records. */
export class RecordWriter {
  readonly #out: TransportWriter;
  #excess = 0;

  /** Writes records with `out`. */
  constructor(out: TransportWriter) {
    this.#out = out;
  }

  /** Bytes of answers by the wire itself that were written while output did not flow. */
  get excess(): number {
    return this.#excess;
  }

  /** Output is below the high-water mark again. */
  drained(): void {
    this.#out.drained();
    this.#excess = 0;
  }

  /** Writes STDOUT of a request. */
  stdout(id: number, block: Octets): void {
    if (typeof block === "string") this.#records(FCGI_STDOUT, id, block);
    else this.#stdoutBytes(id, block);
  }

  #stdoutBytes(id: number, bytes: Uint8Array): void {
    const length = bytes.length;
    for (let at = 0; at < length; at += CONTENT) {
      const size = Math.min(length - at, CONTENT);
      const part = size === length ? bytes : bytes.subarray(at, at + size);
      const copied = this.#out.flowing || at === 0 ? size : 0;
      const start = this.#out.reserve(FCGI_HEADER_LEN + copied);
      const memory = this.#out.memory;
      writeHeader(memory, start, FCGI_STDOUT, id, size);
      if (copied > 0) memory.set(part, start + FCGI_HEADER_LEN);
      this.#out.commit(FCGI_HEADER_LEN + copied);
      if (copied === 0) this.#out.give(part);
    }
  }

  /** Writes latin-1 text as records of one type: STDOUT, or a short management record. */
  text(type: number, id: number, text: string): void {
    if (!this.#out.flowing) this.#excess += FCGI_HEADER_LEN + text.length;
    this.#records(type, id, text);
  }

  #records(type: number, id: number, text: string): void {
    for (let at = 0; at < text.length || at === 0; at += CONTENT) {
      const part = text.length <= CONTENT ? text : text.slice(at, at + CONTENT);
      const start = this.#out.reserve(FCGI_HEADER_LEN + part.length);
      const memory = this.#out.memory;
      writeLatin1(memory, writeHeader(memory, start, type, id, part.length), part);
      this.#out.commit(FCGI_HEADER_LEN + part.length);
    }
  }

  /**
   * Ends a request. With `stdout` it first ends its STDOUT. With `last` an empty GET_VALUES_RESULT follows in the same
   * write. FastCGI has no message for "no further request on this connection", but nginx keeps a connection for reuse only
   * if nothing follows END_REQUEST. Without this record nginx may send the next request before it sees our FIN.
   */
  end(id: number, stdout: boolean, appStatus: number, protocolStatus: number, last: boolean = false): void {
    const size = (stdout ? FCGI_HEADER_LEN : 0) + END_REQUEST + (last ? FCGI_HEADER_LEN : 0);
    if (!this.#out.flowing) this.#excess += size;
    const start = this.#out.reserve(size);
    const memory = this.#out.memory;
    const at = stdout ? writeHeader(memory, start, FCGI_STDOUT, id, 0) : start;
    const end = writeEndRequest(memory, at, id, appStatus, protocolStatus);
    this.#out.commit((last ? writeHeader(memory, end, FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, 0) : end) - start);
  }

  /** Writes a record with the invalid version 0, which shows the reader that the response before it is incomplete. */
  spoil(): void {
    const start = this.#out.reserve(FCGI_HEADER_LEN);
    this.#out.memory.fill(0, start, start + FCGI_HEADER_LEN);
    this.#out.commit(FCGI_HEADER_LEN);
  }
}
