/**
 * Checks the body that an application returns, and how a server iterates and closes it (PEP 3333, "Specification
 * Details" and "Handling the Content-Length Header").
 *
 * The server gets the body in its original form: a bare block unchanged, an array as an array (so that its
 * Content-Length is known), a synchronous iterable as a synchronous one, an asynchronous one as asynchronous. An object
 * between the two checks each block from the application and each call from the server.
 *
 * @module
 */

import { describe } from "../../core/errors.ts";
import { cancelled, closeBody } from "../../core/gateway/response_body.ts";
import type { Body, Chunk } from "../../core/contract/types.ts";
import type { Call } from "./call.ts";
import { CheckedInput } from "./input.ts";
import { forApplication, forServer, must, type Theme, WsgiViolation } from "./rules.ts";

const BODY = forApplication(
  "B15",
  "An application returns an iterable or async iterable of blocks, one bare block (bytes or a string), or a promise of " +
    "one of them.",
);
const BARE = forApplication(
  "B15-strict",
  "A body is no bare string or bytes, which PEP 3333 would have iterated octet by octet: return an array of one block.",
  "strict",
);
const BLOCK = forApplication("B16", "Each block is a Uint8Array, or a string that is sent as UTF-8.");
const BYTES = forApplication("B16-strict", "Each block is bytes: strings are encoded by the application.", "strict");
const CLOSED = forServer("B13", "`close()` is called exactly once, when the iteration is over, whatever its end.");
const AFTER = forServer("M07-closed", "A body is not iterated after `close()`.");
const ONCE = forServer("B17", "A body is iterated once; only its iteration, length and `close()` are touched.");
const ONE = forServer("B03", "The next block is not asked for while the last one is still awaited.");

const WIRE = "the wire is below the validator; the behaviour suite checks it over sockets";

/** The rules of bodies. */
export const bodyTheme: Theme = {
  title: "The body",
  introduction: "Who left a body open is found out when the application is called the next time, and by " +
    "`assertClosed()`: such a violation is reported, since nobody is there to catch it.",
  checked: [BODY, BARE, BLOCK, BYTES, CLOSED, AFTER, ONCE, ONE],
  unchecked: [
    {
      id: "B01",
      bound: "server",
      text: "The head goes out with the first non-empty block, `write()`, or the end.",
      reason: WIRE,
    },
    {
      id: "B02",
      bound: "server",
      text: "With `Content-Length: 0` the head may go out at once.",
      reason: "it is a permission",
    },
    { id: "B04", bound: "server", text: "No block is pulled while the client is slow.", reason: WIRE },
    {
      id: "B05",
      bound: "server",
      text: "An array gets its summed Content-Length unless `write()` was used.",
      reason: WIRE,
    },
    { id: "B06", bound: "server", text: "An empty body is a complete, empty response.", reason: WIRE },
    {
      id: "B07",
      bound: "server",
      text: "A body of unknown length is chunked in HTTP/1.1, and ended by the connection in 1.0.",
      reason: WIRE,
    },
    { id: "B08", bound: "server", text: "The application's Content-Length is kept for HEAD.", reason: WIRE },
    {
      id: "B09",
      bound: "server",
      text: "A response to HEAD has the head of GET and no body; the body is closed.",
      reason: WIRE,
    },
    {
      id: "B12",
      bound: "server",
      text: "A body shorter than its Content-Length is cut off, never padded.",
      reason: WIRE,
    },
    {
      id: "B14",
      bound: "server",
      text: "An error in `close()` is logged and changes no complete response.",
      reason: WIRE,
    },
    { id: "B19", bound: "server", text: "No byte of the body is altered.", reason: WIRE },
    {
      id: "B20",
      bound: "server",
      text: "Every byte is delivered, in order, however the transport splits it.",
      reason: WIRE,
    },
    { id: "B21", bound: "server", text: "A client that goes is no error: quiet, `close()`, no body.", reason: WIRE },
    {
      id: "B22",
      bound: "server",
      text: "A promise that rejects is an exception; a generator gets `return()`.",
      reason: WIRE,
    },
    {
      id: "W02",
      bound: "server",
      text: "`close()` of a file wrapper closes the file, once; iterating to the end does not.",
      reason: "it concerns a part of the server that can be tested alone; tests of FileWrapper check it",
    },
    {
      id: "W03",
      bound: "server",
      text: "A file is sent from where it stands to its end or the Content-Length.",
      reason: WIRE,
    },
    { id: "W04", bound: "server", text: "HEAD, 204, 205 and 304 send nothing of a file.", reason: WIRE },
    {
      id: "W05",
      bound: "server",
      text: "A file wrapper that middleware has wrapped is an iterable like any other.",
      reason: "the validator is such a middleware; the behaviour suite runs with it",
    },
  ],
};

/** A body that a server has received and not closed. */
export interface OpenBody {
  /** Method and target of its request. */
  readonly label: string;
  /** Whether its iteration is over. */
  readonly ended: boolean;
}

/** The bodies of one validator that have not been closed. */
export type OpenBodies = Set<OpenBody>;

/** Makes the violation for a body that was left open. */
export function leftOpen(body: OpenBody): WsgiViolation {
  return new WsgiViolation(CLOSED, `the body of ${body.label} was left open`);
}

type Closable = { close?: () => unknown };

/** The object between a body and the server. */
class Guard implements OpenBody {
  readonly label: string;
  ended = false;
  readonly #body: object;
  readonly #call: Call;
  readonly #open: OpenBodies;
  #closed = false;
  #iterated = false;

  constructor(body: object, call: Call, open: OpenBodies) {
    this.#body = body;
    this.#call = call;
    this.#open = open;
    this.label = call.label;
    open.add(this);
  }

  /** Checks that the server may begin to iterate. */
  begin(): void {
    must(!this.#closed, AFTER, () => "the body was iterated after close()");
    must(!this.#iterated, ONCE, () => "the body was iterated a second time");
    this.#iterated = true;
  }

  /** Checks that the server may ask for a block. */
  pull(): void {
    must(!this.#closed, AFTER, () => "a block was asked for after close()");
    this.#call.pulled();
  }

  /** Checks a block for the server, or the end. */
  give(step: IteratorResult<Chunk>): IteratorResult<Chunk> {
    if (step === null || typeof step !== "object") throw new WsgiViolation(BODY, `next() gave ${describe(step)}`);
    this.#call.requireStart(step.done === true ? "the end of the body" : "a block");
    if (step.done === true) {
      this.ended = true;
      this.#call.finished();
    } else {
      checkBlock(step.value, this.#call.strict);
      this.#call.gave(step.value);
    }
    return step;
  }

  /** Closes the body for the server, once. */
  close(): unknown {
    must(!this.#closed, CLOSED, () => "close() was called a second time");
    this.#closed = true;
    this.#open.delete(this);
    if (!this.#iterated) void cancelled(this.#body);
    return closeOf(this.#body);
  }
}

function closeOf(body: object): unknown {
  if (body instanceof CheckedInput) return undefined; // wsgi.input itself, which the server owns
  const closable = body as Closable;
  return typeof closable.close === "function" ? closable.close() : undefined;
}

function checkBlock(chunk: unknown, strict: boolean): asserts chunk is Chunk {
  must(typeof chunk === "string" || chunk instanceof Uint8Array, BLOCK, () => `a block is ${describe(chunk)}`);
  if (strict) must(typeof chunk !== "string", BYTES, () => `a block is ${describe(chunk)}`);
}

/**
 * Checks what an application returned, and gives the guarded body for the server.
 *
 * @throws {WsgiViolation} when it is not a body. The returned object is then closed.
 */
export function checkBody(body: unknown, call: Call, open: OpenBodies): Body {
  try {
    return guarded(body, call, open);
  } catch (error) {
    const stop = (): unknown => cancelled(body);
    if (typeof body === "object" && body !== null) {
      closeBody(body instanceof CheckedInput ? {} : body, stop, () => {}, () => {});
    }
    throw error;
  }
}

function guarded(body: unknown, call: Call, open: OpenBodies): Body {
  if (typeof body === "string" || body instanceof Uint8Array) {
    if (call.strict) throw new WsgiViolation(BARE, `the application returned ${describe(body)}`);
    call.requireStart("a body");
    call.gave(body);
    return body;
  }
  if (Array.isArray(body)) return guardedArray(body, call, open);
  const iterable = body as Partial<Iterable<Chunk> & AsyncIterable<Chunk>> | null | undefined;
  if (iterable !== null && typeof iterable === "object") {
    if (Symbol.iterator in iterable) return guardedIterable(iterable as Iterable<Chunk>, call, open);
    if (Symbol.asyncIterator in iterable) return guardedAsyncIterable(iterable as AsyncIterable<Chunk>, call, open);
  }
  throw new WsgiViolation(BODY, `the application returned ${describe(body)}`);
}

/** Checks all blocks of an array at once. */
function guardedArray(body: unknown[], call: Call, open: OpenBodies): Body {
  call.requireStart("a body");
  const blocks: Chunk[] = [];
  for (const chunk of body) {
    checkBlock(chunk, call.strict);
    call.gave(chunk);
    blocks.push(chunk);
  }
  call.finished();
  const guard = new Guard(body, call, open);
  return Object.assign(blocks, { close: () => guard.close() });
}

function guardedIterable(body: Iterable<Chunk>, call: Call, open: OpenBodies): Body & Closable {
  const guard = new Guard(body, call, open);
  const iterate = (): Iterator<Chunk> => {
    guard.begin();
    const inner = body[Symbol.iterator]();
    return {
      next: () => {
        guard.pull();
        let step: IteratorResult<Chunk>;
        try {
          step = inner.next();
        } catch (error) {
          guard.ended = true;
          throw error;
        }
        try {
          return guard.give(step);
        } catch (error) {
          stop(inner);
          guard.ended = true;
          throw error;
        }
      },
      return: () => {
        const step = inner.return?.();
        guard.ended = true;
        return step ?? { done: true, value: undefined };
      },
    };
  };
  return { [Symbol.iterator]: iterate, close: () => guard.close() };
}

function guardedAsyncIterable(body: AsyncIterable<Chunk>, call: Call, open: OpenBodies): Body & Closable {
  const guard = new Guard(body, call, open);
  const iterate = (): AsyncIterator<Chunk> => {
    guard.begin();
    const inner = body[Symbol.asyncIterator]();
    let pulling = false;
    return {
      next: async () => {
        must(!pulling, ONE, () => "a block was asked for while one was awaited");
        guard.pull();
        pulling = true;
        let step: IteratorResult<Chunk>;
        try {
          step = await inner.next();
        } catch (error) {
          guard.ended = true;
          throw error;
        } finally {
          pulling = false;
        }
        try {
          return guard.give(step);
        } catch (error) {
          await stop(inner);
          guard.ended = true;
          throw error;
        }
      },
      return: async () => {
        const step = await inner.return?.();
        guard.ended = true;
        return step ?? { done: true, value: undefined };
      },
    };
  };
  return { [Symbol.asyncIterator]: iterate, close: () => guard.close() };
}

/** Stops an iterator whose block was refused. Errors from that are ignored. */
function stop(inner: Iterator<unknown> | AsyncIterator<unknown>): unknown {
  try {
    const stopping: unknown = inner.return?.();
    return Promise.resolve(stopping).catch(() => {});
  } catch {
    return undefined;
  }
}
