/**
 * The Exchange of the wires with one request per connection. A response is its head, the bytes of the body, and the end.
 *
 * @module
 */

import { RequestError } from "../../contract/tsgi_request.ts";
import { writeOctets } from "../../grammar.ts";
import type { Exchange, Octets, RawSocket, ResponseHead, Transport } from "../../seams.ts";

const COPY_LIMIT = 16384; // bytes: larger blocks are written as they are

/** The format of a response head. */
export interface HeadFormat {
  /** The head of a response, its empty line included, as latin-1 text. */
  head(head: ResponseHead, length: number | null, bodyless: boolean): string;
  /** A whole response that contains only its status. */
  refusal(status: string, withBody: boolean): string;
}

/** The connection that owns an exchange, as the exchange uses it. */
export interface ExchangeOwner {
  /** Whether the request is a HEAD request. */
  readonly headOnly: boolean;
  /** The response has ended. `own` is true if it came from the application, false for a refusal. */
  responded(own: boolean): void;
  /** The response has failed. With `flush` buffered output is still sent: the client can see that the body is too short. */
  cut(flush: boolean): void;
}

/** The response side of one connection. */
export class StreamExchange implements Exchange {
  readonly #transport: Transport;
  readonly #owner: ExchangeOwner;
  readonly #format: HeadFormat;
  #delimited = true; // the client knows the length of the body from the head
  #written = 0;

  /** The exchange of `owner`, which writes to `transport`. */
  constructor(transport: Transport, owner: ExchangeOwner, format: HeadFormat) {
    this.#transport = transport;
    this.#owner = owner;
    this.#format = format;
  }

  /** Bytes written. */
  get written(): number {
    return this.#written;
  }

  head(head: ResponseHead, length: number | null, bodyless: boolean): void {
    this.#delimited = bodyless || length !== null;
    this.#copy(this.#format.head(head, length, bodyless));
  }

  body(block: Octets): boolean {
    if (typeof block === "string" || block.length <= COPY_LIMIT) return this.#copy(block);
    this.#written += block.length;
    return this.#transport.write(block);
  }

  end(): void {
    this.#owner.responded(true);
  }

  abort(_error: unknown): void {
    this.#owner.cut(this.#delimited);
  }

  refuse(status: string): void {
    this.#copy(this.#format.refusal(status, !this.#owner.headOnly));
    this.#owner.responded(false);
  }

  informational(): void {
    // The protocol has no interim responses.
  }

  upgrade(): RawSocket {
    throw new RequestError("upgrade: the web server has the client's socket; expected a request over HTTP/1.1");
  }

  #copy(octets: Octets): boolean {
    this.#written += octets.length;
    const at = this.#transport.reserve(octets.length);
    writeOctets(this.#transport.memory, at, octets);
    return this.#transport.commit(octets.length);
  }
}
