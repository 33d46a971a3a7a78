/**
 * A connection to a Python thread, which serves one request at a time.
 *
 * A thread has three states. It is busy from the request on. It is ending from the end of the response on, while the
 * application's `close()` runs. It is idle when it waits for a request. Each request has a `Call` of its own, and a frame
 * reaches only the call whose request the thread has; so no frame of one request gets into the response of another.
 *
 * A request may be sent to an ending thread. It finds the request in its socket when it is done, without a round trip. A
 * thread whose request has a body that it pulls gets none: it may pull until it is idle, and each pull gets its answer.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import type { Environ } from "../../core/contract/types.ts";
import type { Call, Carrier } from "./call.ts";
import {
  abortFrame,
  blockHead,
  END,
  ERROR_TEXT,
  failureFrame,
  FrameReader,
  IDLE,
  PULL,
  requestFrame,
  TRACEBACK,
} from "./frames.ts";

/** What a connection tells the pool. */
export interface LinkOwner {
  /** The response is complete; `close()` may still run. */
  ending(link: Link): void;
  /**
   * The thread is done with a request; if it has no other one already, it waits for one. `ended` is the time since the
   * end of its last response; 0 before the first.
   */
  idle(link: Link, ended: number): void;
  /** The connection is closed. */
  closed(link: Link): void;
  /** Takes text for `wsgi.errors` that belongs to no request. */
  errorText(text: string): void;
}

/** A connection to a Python thread. */
export class Link implements Carrier {
  /** When the thread last sent something or was sent something. */
  progressAt: number = performance.now();
  readonly #socket: Socket;
  readonly #owner: LinkOwner;
  readonly #reader: FrameReader = new FrameReader((type, content) => this.#take(type, content));
  #call: Call | undefined;
  #ending: Call | undefined; // the one whose response is complete, until the idle frame
  #endedAt = 0;
  #waits = 0; // reasons to wait that are not the thread's fault: its client sends a body slowly, or takes a response slowly
  #closed = false;

  /** Takes over a connection whose first frame has been read. */
  constructor(socket: Socket, owner: LinkOwner) {
    this.#socket = socket;
    this.#owner = owner;
  }

  /** The request that the thread has or will have next. */
  get call(): Call | undefined {
    return this.#call;
  }

  /** Whether the thread has begun the request. */
  get begun(): boolean {
    return this.#call !== undefined && this.#ending === undefined;
  }

  /** Whether the thread has a request, or has not finished the last one. */
  get busy(): boolean {
    return this.#call !== undefined || this.#ending !== undefined;
  }

  /** How long a request has made no progress, in milliseconds. */
  stuckFor(now: number): number {
    return this.busy && this.#waits === 0 ? now - this.progressAt : 0;
  }

  /** Sends a request to the thread. */
  begin(call: Call, multiprocess: boolean): void {
    this.#call = call;
    call.carrier = this;
    this.progressAt = performance.now();
    this.#socket.write(requestFrame(environText(call.environ, multiprocess), call.body.whole));
  }

  /** Takes the request away from a thread that will not begin it. */
  takeBack(): Call | undefined {
    const call = this.#call;
    this.#call = undefined;
    return call;
  }

  /** Reads bytes of the connection. */
  receive(bytes: Buffer): void {
    this.progressAt = performance.now();
    this.#reader.push(bytes);
    this.#call?.flush();
  }

  /** Tells the thread that nobody wants the rest of the response. */
  abort(): void {
    if (!this.#closed) this.#socket.write(abortFrame());
  }

  /** Stops reading: the thread waits as soon as the socket is full. */
  pause(): void {
    this.#waits++;
    this.#socket.pause();
  }

  /** Continues reading. */
  resume(): void {
    this.#waits--;
    this.progressAt = performance.now();
    this.#socket.resume();
  }

  /** Closes the connection: the thread ends when it is idle. */
  close(): void {
    this.#socket.destroy();
  }

  /** The connection is closed. */
  wasClosed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ending?.body.close();
    this.#owner.closed(this);
  }

  #take(type: number, content: Buffer): void {
    if (type === IDLE) return this.#becameIdle();
    const call = this.#ending === undefined ? this.#call : undefined; // the one that may send a response
    if (type === ERROR_TEXT) {
      const text = content.toString();
      return call === undefined ? this.#owner.errorText(text) : call.environ["wsgi.errors"].write(text);
    }
    if (type === PULL) return void this.#feed(this.#ending ?? this.#call);
    if (call === undefined) return;
    call.take(type, content);
    if (type !== END && type !== TRACEBACK) return;
    this.#call = undefined;
    this.#ending = call;
    this.#endedAt = performance.now();
    // The application may still pull a body that it does not have: then the answers come before any other request.
    if (call.body.whole !== null) this.#owner.ending(this);
  }

  #becameIdle(): void {
    let ended = 0;
    if (this.#ending !== undefined) {
      ended = performance.now() - this.#endedAt;
      this.#ending.body.close();
      this.#ending = undefined;
    } else if (this.#call !== undefined) { // an aborted response has no end
      this.#call.abandon();
      this.#call = undefined;
    }
    this.#owner.idle(this, ended);
  }

  /** Answers each pull of the request body, unless the abort frame is the answer. */
  async #feed(call: Call | undefined): Promise<void> {
    if (call === undefined || call.aborted) return;
    if (call.body.live) this.#waits++;
    let block: Uint8Array | undefined;
    let failure: unknown;
    try {
      block = await call.body.next();
    } catch (error) {
      failure = call.bodyError = error;
    }
    if (call.body.live) this.#waits--;
    this.progressAt = performance.now();
    if (this.#closed || call.aborted) return;
    if (failure !== undefined) return void this.#socket.write(failureFrame((failure as Error).message));
    this.#socket.write(blockHead(block?.length ?? 0));
    if (block !== undefined && block.length > 0) this.#socket.write(block);
  }
}

/** The environ for the child as JSON: the text in it. What is an object here is made anew there. */
function environText(environ: Environ, multiprocess: boolean): string {
  const text: Record<string, unknown> = {};
  for (const key in environ) {
    const value = environ[key];
    if (typeof value === "string") text[key] = value;
  }
  text["wsgi.multiprocess"] = multiprocess || environ["wsgi.multiprocess"];
  return JSON.stringify(text);
}
