/**
 * Checks the order of events during one call of an application (PEP 3333, "The start_response() Callable" and "The
 * write() Callable").
 *
 * The state consists of these facts. *began*: `startResponse` was called. *start*: its last valid call. *headOut*: the
 * server must have sent the head, because it took a non-empty block and asked for another, or because `write()` took
 * one. *given*: bytes of the body so far. *returned*: the application has returned its body.
 *
 * @module
 */

import { describe } from "../../core/errors.ts";
import type { GatewayRequest } from "../../core/contract/tsgi_request.ts";
import { isContentless } from "../../core/contract/response_head.ts";
import type { Chunk, HeaderList, StartResponse, Write } from "../../core/contract/types.ts";
import type { UpgradedSocket } from "../../core/contract/upgraded_socket.ts";
import type { RawSocket } from "../../core/seams.ts";
import { forApplication, forServer, must, type Theme } from "./rules.ts";
import { checkHeaders, checkStart, type Start } from "./start_response.ts";

const SECOND = forApplication(
  "R08",
  "A second call of `startResponse` has `excInfo`, also when the first one threw (R12).",
);
const NEVER = forApplication("R15", "`startResponse` has been called, and has not thrown, before the first block.");
const RETURNS = forServer("R02", "`startResponse` returns the `write` callable.");
const REPLACES = forServer(
  "R09",
  "Until the head has been sent, a call with `excInfo` replaces status and headers wholly.",
);
const RETHROWS = forServer(
  "R10",
  "Once the head has been sent, a call with `excInfo` throws that very value, and the response is cut off.",
);
const CHUNK = forApplication(
  "B18",
  "`write(chunk)` is given one block: a Uint8Array, or a string that is sent as UTF-8.",
);
const BYTES = forApplication("B18-strict", "`write(chunk)` is given bytes.", "strict");
const UNAWAITED = forApplication(
  "T02-strict",
  "A promise that `write()` gave is awaited before more is written. (Outside strict mode up to `writeBufferLimit` bytes " +
    "may wait.)",
  "strict",
);
const SURPLUS = forApplication("B11-strict", "A body has no more bytes than its Content-Length.", "strict");
const SHORT = forApplication("B12-strict", "A body has no fewer bytes than its Content-Length.", "strict");
const FLOW = forServer("T02", "`write()` gives undefined, or a promise that settles once more may be written.");
const LATE = forServer("T03", "`write()` throws once the application has returned its body.");
const PAST = forServer("B11", "Bytes past the Content-Length are not sent: iteration stops, `write()` throws.");
const HINTS = forApplication("T04", "`earlyHints(headers)` is given headers that `startResponse` would take.");
const HINTS_LATE = forServer("T04-late", "`earlyHints` throws once the head has been sent.");

const WIRE = "the wire is below the validator; the behaviour suite checks it over sockets";

/** The rules of one call. */
export const callTheme: Theme = {
  title: "startResponse and write, in order",
  introduction: "What may follow what. PEP 3333's `exc_info` is any value but null and undefined.",
  checked: [SECOND, NEVER, RETURNS, REPLACES, RETHROWS, CHUNK, BYTES, UNAWAITED, SURPLUS, SHORT, FLOW, LATE, PAST]
    .concat(
      HINTS,
      HINTS_LATE,
    ),
  unchecked: [
    { id: "R11", bound: "server", text: "`startResponse` itself sends nothing.", reason: WIRE },
    {
      id: "R12",
      bound: "application",
      text: "After a call of `startResponse` that threw, only one with `excInfo` may follow.",
      reason: "R08 checks it",
    },
    {
      id: "R14",
      bound: "server",
      text: "The first step of the iteration may be what calls `startResponse`: iterating does not need it before.",
      reason: "it is a permission; R15 checks what it leaves to the application",
    },
  ],
};

/** Whether a response has no body, even if the application gives one. */
function hasNoBody(start: Start | null, method: string): boolean {
  return method === "HEAD" || (start !== null && isContentless(Number(start.status.slice(0, 3))));
}

/** The state of one call of an application. */
export class Call {
  readonly strict: boolean;
  /** Method and target, for messages. */
  readonly label: string;
  readonly #method: string;
  readonly #request: CheckedRequest | undefined;
  #began = false;
  #start: Start | null = null;
  #headOut = false;
  #given = 0;
  #returned = false;
  #unsettled = 0; // promises of write()

  /** Starts a call. `method` and `request` (`tsgi.request`) come from the environ; `label` is for messages. */
  constructor(method: string, label: string, request: CheckedRequest | undefined, strict: boolean) {
    this.#method = method;
    this.label = label;
    this.#request = request;
    this.strict = strict;
    request?.follow(() => this.#headOut);
  }

  /** Notes that the application has returned or thrown. */
  returned(): void {
    this.#returned = true;
  }

  /** Makes the checking `startResponse` for the application. */
  startResponse(server: StartResponse): StartResponse {
    return (...args: unknown[]): Write => this.#startResponse(server, args);
  }

  #startResponse(server: StartResponse, args: readonly unknown[]): Write {
    const excInfo = args[2];
    const replaces = excInfo !== undefined && excInfo !== null;
    const pass = (): unknown => server(...(args as Parameters<StartResponse>));
    if (replaces && this.#headOut) return this.#tooLate(pass, excInfo);
    must(replaces || !this.#began, SECOND, () => "startResponse was called again without excInfo");
    this.#began = true;
    this.#start = null;
    const start = checkStart(args, this.strict);
    let write: unknown;
    try {
      write = pass();
    } catch (error) {
      const untouched = replaces && error === excInfo && this.#given === 0 && !this.#returned;
      must(!untouched, REPLACES, () => "the server threw excInfo although nothing had been sent");
      throw error;
    }
    must(typeof write === "function", RETURNS, () => `startResponse gave ${describe(write)}`);
    this.#start = start;
    return (...chunks: unknown[]) => this.#write(write as Write, chunks);
  }

  /** Checks a call after the head was sent: the server has to throw the error in `excInfo`. */
  #tooLate(pass: () => unknown, excInfo: unknown): never {
    let thrown: unknown;
    let threw = false;
    try {
      pass();
    } catch (error) {
      thrown = error;
      threw = true;
    }
    must(threw && Object.is(thrown, excInfo), RETHROWS, () => threw ? `${describe(thrown)} was thrown` : "it returned");
    throw thrown;
  }

  #write(write: Write, chunks: readonly unknown[]): Promise<void> | undefined {
    const chunk = chunks[0];
    must(chunks.length === 1, CHUNK, () => `write got ${chunks.length} arguments`);
    must(typeof chunk === "string" || chunk instanceof Uint8Array, CHUNK, () => `write got ${describe(chunk)}`);
    if (this.strict) {
      must(typeof chunk !== "string", BYTES, () => `write got ${describe(chunk)}`);
      must(this.#unsettled === 0, UNAWAITED, () => "write was called while a promise of it was pending");
    }
    const late = this.#returned;
    const flow: unknown = write(chunk as Chunk);
    must(!late, LATE, () => "write took a block after the application had returned");
    this.#headOut = true;
    this.#given += sizeOf(chunk);
    must(!this.#exceeded(), PAST, () => `write took ${this.#given} bytes of a Content-Length of ${this.#length}`);
    if (flow === undefined) return undefined;
    const isPromise = typeof (flow as { then?: unknown } | null)?.then === "function";
    must(isPromise, FLOW, () => `write gave ${describe(flow)}`);
    this.#unsettled++;
    const settled = (): void => void this.#unsettled--;
    (flow as Promise<void>).then(settled, settled);
    return flow as Promise<void>;
  }

  get #length(): number {
    return this.#start?.contentLength ?? Infinity;
  }

  #exceeded(): boolean {
    return this.#given > this.#length && !hasNoBody(this.#start, this.#method);
  }

  /** Whether a client still waits for the response: the connection was not upgraded, and the client has not left. */
  get awaited(): boolean {
    return this.#request === undefined || this.#request.awaited;
  }

  /** Checks that there is a response head, when the first block or the end of the body comes. */
  requireStart(what: string): void {
    must(this.#start !== null || !this.awaited, NEVER, () => `${what} came without a good call of startResponse`);
  }

  /** Checks that the server may ask for another block. */
  pulled(): void {
    must(!this.#exceeded(), PAST, () => `the server came for more after ${this.#given} bytes of ${this.#length}`);
    if (this.#given > 0) this.#headOut = true;
  }

  /** Counts a block of the body that goes to the server. */
  gave(chunk: Chunk): void {
    this.#given += sizeOf(chunk);
    if (this.strict) must(!this.#exceeded(), SURPLUS, () => `the body has ${this.#given} bytes of ${this.#length}`);
  }

  /** Checks the end of the body. */
  finished(): void {
    if (!this.strict || !this.awaited || hasNoBody(this.#start, this.#method)) return;
    const short = this.#length !== Infinity && this.#given < this.#length;
    must(!short, SHORT, () => `the body has ${this.#given} bytes of ${this.#length}`);
  }
}

const encoder = new TextEncoder();

function sizeOf(chunk: Chunk): number {
  return typeof chunk === "string" ? encoder.encode(chunk).length : chunk.length;
}

/** The `tsgi.request` in the environ of a checked application. */
export class CheckedRequest {
  readonly #request: GatewayRequest;
  #upgraded = false;
  #headOut: () => boolean = () => false;

  /** Wraps `request`. */
  constructor(request: GatewayRequest) {
    this.#request = request;
  }

  /** Sets the function that tells whether the head has been sent. */
  follow(headOut: () => boolean): void {
    this.#headOut = headOut;
  }

  /** Whether a client still waits for the response. This reads `signal`, which creates it. */
  get awaited(): boolean {
    return !this.#upgraded && !this.#request.signal.aborted;
  }

  /** As the request's own. */
  get signal(): AbortSignal {
    return this.#request.signal;
  }

  /** As the request's own. */
  onDeparture(listener: (reason: Error) => void): void {
    this.#request.onDeparture(listener);
  }

  /** As the request's own. */
  earlyHints(headers: HeaderList): void {
    must(Array.isArray(headers), HINTS, () => `earlyHints got ${describe(headers)}`);
    checkHeaders(headers, false);
    const late = this.#headOut();
    this.#request.earlyHints(headers);
    must(!late, HINTS_LATE, () => "earlyHints was taken after the head");
  }

  /** As the request's own. */
  upgrade(headers?: HeaderList): UpgradedSocket {
    const socket = this.#request.upgrade(headers);
    this.#upgraded = true;
    return socket;
  }

  /** As the request's own. */
  rawSocket(): RawSocket {
    const socket = this.#request.rawSocket();
    this.#upgraded = true;
    return socket;
  }

  /** As the request's own. */
  waitUntil(promise: Promise<unknown>): void {
    this.#request.waitUntil(promise);
  }
}
