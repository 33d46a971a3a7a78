/**
 * Writes the records of one FastCGI connection to the transport.
 *
 * Output of up to one record is copied into memory that the transport lends, so that a head, a small body and END_REQUEST
 * are sent together. Larger blocks are copied too while output flows, 32 KiB at a time, because a copy costs less than a
 * system call for the eight bytes of a header. Once output does not flow, the rest of a block is passed on without a copy.
 *
 * @module
 */

import { writeOctets } from "../../grammar.ts";
import { TransportWriter } from "../../lifecycle/transport_writer.ts";
import type { Octets } from "../../seams.ts";
import { FCGI_GET_VALUES_RESULT, FCGI_HEADER_LEN, FCGI_NULL_REQUEST_ID, FCGI_STDOUT } from "./records.ts";
import { writeEndRequest, writeHeader } from "./records.ts";

const RECORD = 32768; // bytes of our longest records, which a transport sends at once
const CONTENT = RECORD - FCGI_HEADER_LEN;
const END_REQUEST = 2 * FCGI_HEADER_LEN;

/** Writes records. */
export class RecordWriter extends TransportWriter {
  #excess = 0;

  /** Bytes of answers by the wire itself that were written while output did not flow. */
  get excess(): number {
    return this.#excess;
  }

  /** Output is below the high-water mark again. */
  override drained(): void {
    super.drained();
    this.#excess = 0;
  }

  /** Writes STDOUT of a request. An empty record would end it. */
  stdout(id: number, block: Octets): void {
    if (block.length > 0) this.#records(FCGI_STDOUT, id, block);
  }

  /** Writes latin-1 text as records of one type: STDOUT, or a short management record. */
  text(type: number, id: number, text: string): void {
    if (!this.flowing) this.#excess += FCGI_HEADER_LEN + text.length;
    this.#records(type, id, text);
  }

  #records(type: number, id: number, octets: Octets): void {
    const { length } = octets;
    for (let at = 0; at < length || at === 0; at += CONTENT) {
      const part = length <= CONTENT ? octets : slice(octets, at, at + CONTENT);
      const copied = this.flowing || at === 0 || typeof part === "string";
      const size = FCGI_HEADER_LEN + (copied ? part.length : 0);
      const start = this.reserve(size);
      const content = writeHeader(this.memory, start, type, id, part.length);
      if (copied) writeOctets(this.memory, content, part);
      this.commit(size);
      if (!copied) this.give(part);
    }
  }

  /**
   * Ends a request. With `stdout` it first ends its STDOUT. With `last` an empty GET_VALUES_RESULT follows in the same
   * write. FastCGI has no message for "no further request on this connection", but nginx keeps a connection for reuse only
   * if nothing follows END_REQUEST. Without this record nginx may send the next request before it sees our FIN.
   */
  end(id: number, stdout: boolean, appStatus: number, protocolStatus: number, last: boolean = false): void {
    const size = (stdout ? FCGI_HEADER_LEN : 0) + END_REQUEST + (last ? FCGI_HEADER_LEN : 0);
    if (!this.flowing) this.#excess += size;
    const start = this.reserve(size);
    const memory = this.memory;
    const at = stdout ? writeHeader(memory, start, FCGI_STDOUT, id, 0) : start;
    const end = writeEndRequest(memory, at, id, appStatus, protocolStatus);
    this.commit((last ? writeHeader(memory, end, FCGI_GET_VALUES_RESULT, FCGI_NULL_REQUEST_ID, 0) : end) - start);
  }

  /** Writes a record with the invalid version 0, which shows the reader that the response before it is incomplete. */
  spoil(): void {
    const start = this.reserve(FCGI_HEADER_LEN);
    this.memory.fill(0, start, start + FCGI_HEADER_LEN);
    this.commit(FCGI_HEADER_LEN);
  }
}

function slice(octets: Octets, start: number, end: number): Octets {
  return typeof octets === "string" ? octets.slice(start, end) : octets.subarray(start, end);
}
