/**
 * A socket after an Upgrade, as streams: the result of `tsgi.request.upgrade()`.
 *
 * It has the interface of the WinterTC sockets API (`readable`, `writable`, `closed`, `close()`). So code for the sockets
 * of other runtimes works with it, and a host without raw sockets can offer the same.
 *
 * Backpressure works in both directions. The transport is paused while {@linkcode READ_AHEAD} bytes or more wait in
 * `readable`, and a write to `writable` settles once the transport flows again. Bytes are copied in both directions: the
 * host only lends what arrives, and the application may change the bytes that it has written.
 *
 * `writable` queues chunks while an earlier write waits, and within the turn in which they are written. `close()` has to
 * send them first, but the stream does not say how many there are. So the `size()` function counts them: the stream calls
 * it once for each chunk.
 *
 * @module
 */

import { describe } from "../errors.ts";
import type { RawConnection, RawSocket, Transport } from "../seams.ts";
import { ClientDisconnectedError } from "./request_body.ts";

const READ_AHEAD = 65536; // bytes

/**
 * A socket after an Upgrade (RFC 9110 7.8), in the shape of the WinterTC sockets API.
 *
 * The two directions end independently: when the client has sent FIN, `readable` closes and `writable` still works. A
 * client that takes none of the output for `writeTimeout` is reset.
 */
export interface UpgradedSocket {
  /** Bytes from the client. Closes when the client has sent FIN; fails when the connection breaks. */
  readonly readable: ReadableStream<Uint8Array>;
  /** Bytes to the client. Closing it sends FIN; aborting it resets the connection. */
  readonly writable: WritableStream<Uint8Array>;
  /** Settles once the connection is gone: fulfilled after an orderly end, rejected when it broke. */
  readonly closed: Promise<void>;
  /**
   * Fires when the server begins to shut down. The application can then end its protocol properly. The server cuts
   * connections that are still open at the time-out of the shutdown.
   */
  readonly stopping: AbortSignal;
  /** Sends what has been written, then FIN, and drops further input. Settles as `closed` does. */
  close(): Promise<void>;
}

/** Wraps a raw socket in streams. */
export function upgradedSocket(raw: RawSocket): UpgradedSocket {
  const streams = new SocketStreams(raw.transport);
  raw.attach(streams);
  return streams.socket;
}

/** The Connection behind an {@linkcode UpgradedSocket}. */
class SocketStreams implements RawConnection {
  readonly socket: UpgradedSocket;
  written = 0;
  readonly #transport: Transport;
  readonly #stopping = new AbortController();
  #input: ReadableStreamDefaultController<Uint8Array> | undefined; // while it can be read
  #output: WritableStreamDefaultController | undefined; // while it can be written
  #resolveClosed: () => void = () => {};
  #rejectClosed: (reason: unknown) => void = () => {};
  #resumeWrite: (() => void) | undefined;
  #queued = 0; // chunks in the queue of `writable`
  #closing = false; // FIN follows the last of them
  #ended = false; // the client has sent FIN
  #finished = false; // we have sent FIN

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
    this.written += chunk.length;
    const flows = chunk.length === 0 || this.#transport.write(chunk.slice());
    if (this.#closing && this.#queued === 0) this.#finish();
    return flows ? undefined : new Promise((resolve) => this.#resumeWrite = resolve);
  }

  /** Drops all further input. It still reads, to notice the client's FIN. */
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
