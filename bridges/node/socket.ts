/**
 * The socket object that a listener sees as `req.socket` and `res.socket`.
 *
 * The wire owns the real connection, and several requests may share it. So this object belongs to one request and
 * carries no bytes. It gives the addresses of both ends, keeps the timeout, and ends the request when it is destroyed.
 *
 * @module
 */

import { EventEmitter } from "node:events";
import process from "node:process";
import { getDefaultHighWaterMark } from "node:stream";
import type { Environ } from "../../core/contract/types.ts";

/** The interface that a socket needs from its request. */
export interface SocketOwner {
  /** The request as the server gave it. */
  readonly environ: Environ;
  /** Number of bytes of the response that the server has not taken yet. */
  readonly queued: number;
  /** Called when the listener cuts the connection. */
  destroyed(error: Error | undefined): void;
  /** Called when the timeout has passed without activity. Returns whether there was a listener for it. */
  timedOut(): boolean;
}

const WRITABLE_STATE = { corked: 0 }; // shared by all sockets, since nobody reads it
const MARK = getDefaultHighWaterMark(false);

/** The socket of one request. */
export class RequestSocket extends EventEmitter {
  /** As in net.Socket: whether the other end may still send. */
  readable = true;
  /** As in net.Socket: whether bytes can still be sent. */
  writable = true;
  /** Whether the connection has been cut, by either end. */
  destroyed = false;
  /** The response being sent; node:http uses this. */
  _httpMessage: unknown = null;
  /** node:http sets `corked` in it. */
  readonly _writableState: { corked: number } = WRITABLE_STATE;
  readonly #owner: SocketOwner;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timeout = 0; // ms
  #corked = 0;

  /** Makes the socket of a request. */
  constructor(owner: SocketOwner) {
    super();
    this.#owner = owner;
  }

  // Addresses of the two ends.

  /** Address of the client. */
  get remoteAddress(): string | undefined {
    return this.#owner.environ.REMOTE_ADDR;
  }

  /** Port of the client. */
  get remotePort(): number | undefined {
    return portOf(this.#owner.environ.REMOTE_PORT);
  }

  /** `"IPv6"` or `"IPv4"`. */
  get remoteFamily(): string | undefined {
    return familyOf(this.remoteAddress);
  }

  /** Address, or name, of the server. */
  get localAddress(): string | undefined {
    const { SERVER_ADDR: address, SERVER_NAME: name } = this.#owner.environ;
    return typeof address === "string" && address !== "" ? address : name;
  }

  /** Port of the server. */
  get localPort(): number | undefined {
    return portOf(this.#owner.environ.SERVER_PORT);
  }

  /** `"IPv6"` or `"IPv4"`. */
  get localFamily(): string | undefined {
    return familyOf(this.localAddress);
  }

  /** Whether the client spoke TLS, to this server or to the one in front of it. */
  get encrypted(): boolean {
    return this.#owner.environ["wsgi.url_scheme"] === "https";
  }

  /** The address of the server. */
  address(): { address?: string; family?: string; port?: number } {
    const { localAddress: address, localFamily: family, localPort: port } = this;
    return {
      ...(address === undefined ? {} : { address }),
      ...(family === undefined ? {} : { family }),
      ...(port === undefined ? {} : { port }),
    };
  }

  // Members of a stream. The wire handles the bytes.

  /** No connection is being made. */
  get connecting(): boolean {
    return false;
  }

  /** No connection is being made. */
  get pending(): boolean {
    return false;
  }

  /** As in net.Socket. */
  get readyState(): string {
    return this.destroyed ? "closed" : "open";
  }

  /** Number of response bytes that wait to be sent. */
  get writableLength(): number {
    return this.#owner.queued;
  }

  /** `res.write()` returns false from this many waiting bytes on. */
  get writableHighWaterMark(): number {
    return MARK;
  }

  /** Bytes of a request body that are read ahead. */
  get readableHighWaterMark(): number {
    return MARK;
  }

  /** How often `cork()` was called without `uncork()`. */
  get writableCorked(): number {
    return this.#corked;
  }

  /** For streams: whether `end()` was called, which does nothing here. */
  get writableEnded(): boolean {
    return false;
  }

  /** Only counts: the wire decides when bytes leave. */
  cork(): void {
    this.#corked++;
  }

  /** Only counts: the wire decides when bytes leave. */
  uncork(): void {
    if (this.#corked > 0) this.#corked--;
  }

  /** Does nothing: `req` is what can be paused. */
  pause(): this {
    return this;
  }

  /** Does nothing: `req` is what can be resumed. */
  resume(): this {
    return this;
  }

  /** Does nothing. */
  setNoDelay(): this {
    return this;
  }

  /** Does nothing. */
  setKeepAlive(): this {
    return this;
  }

  /** Does nothing. */
  setEncoding(): this {
    return this;
  }

  /** Does nothing. */
  ref(): this {
    return this;
  }

  /** Does nothing. */
  unref(): this {
    return this;
  }

  /**
   * Refuses bytes: only the wire may write to the connection.
   *
   * @throws {Error} for anything that has a length.
   */
  write(bytes: { readonly length: number } = ""): boolean {
    if (bytes.length === 0) return true;
    throw new Error("req.socket.write: the connection belongs to the server; write to the response");
  }

  /** Does nothing: the connection ends when the server ends it. */
  end(): this {
    return this;
  }

  // The end, and the timeout.

  /** Milliseconds of inactivity after which `"timeout"` is emitted; 0 means never. */
  get timeout(): number {
    return this.#timeout;
  }

  /** Sets {@linkcode RequestSocket.timeout}. */
  setTimeout(milliseconds: number, listener?: () => void): this {
    if (listener !== undefined) this.once("timeout", listener);
    this.#timeout = Number(milliseconds) || 0;
    this.touch();
    return this;
  }

  /** Restarts the timeout, because of activity. */
  touch(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#timeout <= 0 || this.destroyed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.emit("timeout");
      if (!this.#owner.timedOut()) this.destroy();
    }, this.#timeout);
    (this.#timer as { unref?: () => void }).unref?.();
  }

  /** Whether a timeout is running, so that activity has to call `touch`. */
  get timed(): boolean {
    return this.#timer !== undefined;
  }

  /** Cuts the connection. */
  destroy(error?: Error | null): this {
    if (this.destroyed) return this;
    this.closed();
    this.#owner.destroyed(error ?? undefined);
    return this;
  }

  /** Same as {@linkcode RequestSocket.destroy}. A response that has ended is sent nevertheless. */
  destroySoon(): void {
    this.destroy();
  }

  /** Marks the connection as closed. Listeners are called later. */
  closed(): void {
    this.destroyed = true;
    this.release();
    process.nextTick(() => this.emit("close", false));
  }

  /** Stops the timeout, because the request is over. */
  release(): void {
    this.#timeout = 0;
    this.readable = !this.destroyed;
    this.writable = !this.destroyed;
    if (this.#timer !== undefined) this.touch();
  }
}

function portOf(text: string | undefined): number | undefined {
  return text === undefined || text === "" ? undefined : Number(text);
}

function familyOf(address: string | undefined): string | undefined {
  if (address === undefined || address === "") return undefined;
  return address.includes(":") ? "IPv6" : "IPv4";
}
