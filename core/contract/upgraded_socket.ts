/**
 * A socket after an Upgrade, as streams: what `tsgi.request.upgrade()` gives an application.
 *
 * The shape is that of the WinterTC sockets API (`readable`, `writable`, `closed`, `close()`), so that code for sockets of
 * other runtimes works on it, and so that a host without raw sockets can give the same.
 *
 * Backpressure works both ways. The transport is paused while more than {@linkcode READ_AHEAD} bytes wait in `readable`,
 * and a write to `writable` settles once the transport flows again. Bytes are copied in both directions: what arrives is
 * lent by the host, and what an application has written it may change.
 *
 * `writable` holds chunks that it has not passed on yet: while a write waits, and in the turn in which it was made. The
 * stream does not tell how many, so its `size()`, which it calls for each chunk, counts them: `close()` sends them first.
 *
 * @module
 */

import { describe } from "../errors.ts";
import type { Connection, RawSocket, Transport } from "../seams.ts";
import { ClientDisconnectedError } from "./request_body.ts";

const READ_AHEAD = 65536; // bytes

/**
 * A socket after an Upgrade (RFC 9110 7.8), in the shape of the WinterTC sockets API.
 *
 * The two directions end on their own: when the client has sent its end, `readable` closes and `writable` still works.
 */
export interface UpgradedSocket {
  /** What the client sends. Closes when the client has sent its end; fails when the connection breaks. */
  readonly readable: ReadableStream<Uint8Array>;
  /** What the client is sent. To close it sends our end; to abort it resets the connection. */
  readonly writable: WritableStream<Uint8Array>;
  /** Settles once the connection is gone: fulfilled after an orderly end, rejected when it broke. */
  readonly closed: Promise<void>;
  /**
   * Fires when the server begins to shut down. A protocol can then say goodbye; what is still open at the time-out of the
   * shutdown is cut.
   */
  readonly stopping: AbortSignal;
  /** Sends what has been written, then our end, and reads no more. Settles as `closed`. */
  close(): Promise<void>;
}

/** Makes streams of a raw socket. */
export function upgradedSocket({ transport, leftover }: RawSocket): UpgradedSocket {
  const streams = new SocketStreams(transport);
  transport.attach(streams, leftover);
  return streams.socket;
}

/** The Connection behind an {@linkcode UpgradedSocket}. */
class SocketStreams implements Connection {
  readonly socket: UpgradedSocket;
  readonly #transport: Transport;
  readonly #stopping = new AbortController();
  #input: ReadableStreamDefaultController<Uint8Array> | undefined; // while it can be read
  #output: WritableStreamDefaultController | undefined; // while it can be written
  #resolveClosed: () => void = () => {};
  #rejectClosed: (reason: unknown) => void = () => {};
  #resumeWrite: (() => void) | undefined;
  #queued = 0; // chunks that the stream has taken and not passed on
  #closing = false; // our end follows the last of them
  #ended = false; // the client has sent its end
  #finished = false; // ours is sent

  constructor(transport: Transport) {
    this.#transport = transport;
    const closed = new Promise<void>((resolve, reject) => {
      this.#resolveClosed = resolve;
      this.#rejectClosed = reject;
    });
    closed.catch(() => {}); // an application need not look at it
    this.socket = {
      readable: new ReadableStream(this.#source(), { highWaterMark: READ_AHEAD, size: (bytes) => bytes.length }),
      writable: new WritableStream(this.#sink(), { size: () => (this.#queued++, 1) }),
      closed,
      stopping: this.#stopping.signal,
      close: () => {
        this.#drop();
        this.#closing = true;
        if (this.#queued === 0 || this.#output === undefined) this.#finish();
        return closed;
      },
    };
  }

  receive(bytes: Uint8Array): void {
    if (this.#input === undefined) return;
    this.#input.enqueue(bytes.slice());
    if ((this.#input.desiredSize ?? 0) <= 0) this.#transport.pause();
  }

  drained(): void {
    const resume = this.#resumeWrite;
    this.#resumeWrite = undefined;
    resume?.();
  }

  ended(): void {
    this.#ended = true;
    this.#input?.close();
    this.#input = undefined;
  }

  closed(error?: unknown): void {
    const orderly = error === undefined && this.#ended && this.#finished;
    const reason = new ClientDisconnectedError("The connection is closed", error === undefined ? {} : { cause: error });
    this.#input?.error(reason);
    this.#input = undefined;
    this.#output?.error(reason);
    this.#output = undefined;
    this.drained();
    if (orderly) this.#resolveClosed();
    else this.#rejectClosed(reason);
  }

  shutdown(): void {
    this.#stopping.abort(new Error("The server is shutting down"));
  }

  tick(): void {}

  #source(): UnderlyingDefaultSource<Uint8Array> {
    return {
      start: (controller) => void (this.#input = controller),
      pull: () => this.#transport.resume(),
      cancel: () => this.#drop(),
    };
  }

  #sink(): UnderlyingSink<Uint8Array> {
    return {
      start: (controller) => void (this.#output = controller),
      write: (chunk) => this.#write(chunk),
      close: () => this.#finish(),
      abort: () => {
        this.#output = undefined;
        this.#transport.reset();
      },
    };
  }

  #write(chunk: unknown): Promise<void> | undefined {
    this.#queued--;
    if (this.#finished) throw new TypeError("writable: the socket has been closed");
    if (!(chunk instanceof Uint8Array)) {
      this.#output = undefined; // the stream fails, and drops what it holds
      if (this.#closing) this.#finish();
      throw new TypeError(`writable: expected a Uint8Array, got ${describe(chunk)}`);
    }
    const flows = chunk.length === 0 || this.#transport.write(chunk.slice());
    if (this.#closing && this.#queued === 0) this.#finish();
    return flows ? undefined : new Promise((resolve) => this.#resumeWrite = resolve);
  }

  /** Reads on, so that the end of the client is seen, and forgets what comes. */
  #drop(): void {
    const input = this.#input;
    this.#input = undefined;
    try {
      input?.close();
    } catch {
      // It has been cancelled.
    }
    this.#transport.resume();
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#output = undefined;
    this.#transport.end();
  }
}
