/**
 * The Exchange of HTTP/1.1: frames a response and writes it to the transport.
 *
 * Each connection has one object, which `begin` resets for each request.
 *
 * @module
 */

import { writeLatin1, writeOctets } from "../../grammar.ts";
import { RequestError } from "../../contract/tsgi_request.ts";
import { COPY_LIMIT, type TransportWriter } from "../../lifecycle/transport_writer.ts";
import type { Exchange, HeaderList, Octets, RawSocket, ResponseHead } from "../../seams.ts";
import type { RequestHead } from "./request_head.ts";
import { headOctets } from "./head_bytes.ts";
import { connectionField, type Framing, framing, serializeInterim, serializeRefusal } from "./serializer.ts";

const LAST_CHUNK = "0\r\n\r\n";

/** The connection that owns an exchange, as the exchange uses it. */
export interface ExchangeOwner {
  /** Whether the connection can stay open after the response that is about to begin. */
  mayPersist(): boolean;
  /** The response has ended; `keepAlive` tells whether the connection stays open. */
  responded(keepAlive: boolean): void;
  /** The response has failed: cut the connection. With `flush` the written output is still sent. */
  cut(flush: boolean): void;
  /** Detaches the socket from HTTP, for an Upgrade. */
  release(): RawSocket;
}

/** The response side of one connection. */
export class Http1Exchange implements Exchange {
  readonly #writer: TransportWriter;
  readonly #owner: ExchangeOwner;
  readonly #serverHeader: string;
  #request: RequestHead | undefined;
  #framing: Framing = "none";
  #keepAlive = false;
  #headSent = false;

  /** The exchange of `owner`, which writes with `writer`. */
  constructor(writer: TransportWriter, owner: ExchangeOwner, serverHeader: string) {
    this.#writer = writer;
    this.#owner = owner;
    this.#serverHeader = serverHeader;
  }

  /** Begins the exchange of a request. */
  begin(request: RequestHead): void {
    this.#request = request;
    this.#headSent = false;
  }

  /** Whether the head of the current response has been written. */
  get headSent(): boolean {
    return this.#headSent;
  }

  /** Whether the head of the current response has told the client that the connection stays open. */
  get persists(): boolean {
    return this.#headSent && this.#keepAlive;
  }

  head(head: ResponseHead, length: number | null, bodyless: boolean): void {
    const http11 = this.#request?.http11 === true;
    this.#framing = framing(http11, length, bodyless);
    this.#keepAlive = this.#framing !== "close" && this.#owner.mayPersist();
    this.#headSent = true;
    const connection = connectionField(http11, this.#keepAlive);
    this.#writer.copy(headOctets(head, length, this.#framing, connection, this.#serverHeader));
  }

  body(block: Octets): boolean {
    if (this.#framing === "chunked") return this.#chunk(block);
    return this.#writer.block(block);
  }

  end(): void {
    if (this.#framing === "chunked") this.#writer.copy(LAST_CHUNK);
    this.#owner.responded(this.#keepAlive);
  }

  abort(_error: unknown): void {
    // If the end of the connection marks the end of the body, a clean close would look like a complete response.
    this.#owner.cut(this.#framing !== "close");
  }

  refuse(status: string): void {
    this.#headSent = true;
    this.#writer.copy(serializeRefusal(status, this.#request?.method !== "HEAD"));
    this.#owner.responded(false);
  }

  informational(status: string, headers: HeaderList): void {
    if (this.#request?.http11 === true && !this.#headSent) this.#writer.copy(serializeInterim(status, headers));
  }

  upgrade(headers: HeaderList | null): RawSocket {
    if (this.#request?.upgrade !== true) {
      throw new RequestError("upgrade: expected a request without a body, with Connection: Upgrade, over HTTP/1.1");
    }
    if (headers !== null) {
      this.#writer.copy(serializeInterim("101 Switching Protocols", [["Connection", "Upgrade"], ...headers]));
    }
    return this.#owner.release();
  }

  #chunk(block: Octets): boolean {
    const { length } = block;
    const size = `${length.toString(16)}\r\n`;
    if (length > COPY_LIMIT && typeof block !== "string") {
      this.#writer.copy(size);
      this.#writer.give(block);
      return this.#writer.copy("\r\n");
    }
    const total = size.length + length + 2;
    const start = this.#writer.reserve(total);
    const memory = this.#writer.memory;
    const at = writeOctets(memory, writeLatin1(memory, start, size), block);
    writeLatin1(memory, at, "\r\n");
    return this.#writer.commit(total);
  }
}
