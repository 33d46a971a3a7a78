/**
 * The Exchange of fetch hosts: a Request's body becomes `wsgi.input`, what the application gives becomes a Response.
 *
 * @module
 */

import { bytesOf } from "../core/gateway/blocks.ts";
import { type Gateway, RequestTimeoutError } from "../core/gateway/gateway.ts";
import { Invocation } from "../core/gateway/invocation.ts";
import {
  type BodySource,
  BodyTooLargeError,
  InputClosedError,
  type InputError,
  RequestBody,
  TruncatedBodyError,
} from "../core/contract/request_body.ts";
import { finalFields, NO_OWN_FIELDS } from "../core/contract/final_fields.ts";
import { RequestError } from "../core/contract/tsgi_request.ts";
import { isContentless } from "../core/contract/response_head.ts";
import type { Environ } from "../core/contract/types.ts";
import type { Settings } from "../core/server/options.ts";
import { SERVICE_UNAVAILABLE } from "../core/refusal.ts";
import type { Exchange, Octets, RawSocket, ResponseHead } from "../core/seams.ts";
import { after, type Cuttable, type FetchClosing } from "./fetch_closing.ts";
import { type FetchInfo, isFromBun, isFromDeno } from "./fetch_target.ts";

const MARK = 65536; // bytes a response stream holds before the application waits

/** A whole response that says nothing but its status. */
export function refusalOf(status: string, method: string): Response {
  const headers = new Headers({ "Content-Type": "text/plain; charset=utf-8" });
  if (status === SERVICE_UNAVAILABLE) headers.set("Retry-After", "1");
  const init = { status: Number(status.slice(0, 3)), statusText: status.slice(4), headers };
  return new Response(method === "HEAD" ? null : `${status}\n`, init);
}

/** One request and its response. */
export class FetchExchange implements Exchange, BodySource, Cuttable {
  readonly #gateway: Gateway;
  readonly #settings: Settings;
  readonly #closing: FetchClosing | undefined;
  #method = "";
  #invocation: Invocation | undefined;
  #source: ReadableStream<Uint8Array> | null = null; // of the request body, until nobody wants it any more
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #body: RequestBody = RequestBody.empty();
  #declared = Infinity; // bytes that the client has declared
  #reading = false;
  #received = 0;
  #head: ResponseHead | undefined;
  #length: number | null = null;
  #whole: Uint8Array | undefined; // a body that came in one block
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  #clearTimer: (() => void) | undefined;
  #unwatch: (() => void) | undefined; // the signal of the request
  #resolve: (response: Response) => void = () => {};

  /** An exchange of `gateway`'s; `closing` is told of it, where there is one. */
  constructor(gateway: Gateway, all: Settings, closing: FetchClosing | undefined) {
    this.#gateway = gateway;
    this.#settings = all;
    this.#closing = closing;
  }

  /** Calls the application; settles with its response. */
  answer(
    request: Request,
    info: FetchInfo | undefined,
    environ: Environ,
    contentLength: number | null,
    hasContent: boolean,
  ): Promise<Response> {
    const response = new Promise<Response>((resolve) => this.#resolve = resolve);
    this.#method = request.method;
    this.#openBody(request, contentLength, hasContent);
    this.#invocation = new Invocation(this.#gateway, this, environ, this.#body);
    this.#closing?.enter(this);
    const { requestTimeout } = this.#settings;
    if (requestTimeout !== Infinity) this.#clearTimer = after(requestTimeout, () => this.#expire(requestTimeout));
    this.#watch(request, info);
    this.#invocation.run();
    return response;
  }

  #watch(request: Request, info: FetchInfo | undefined): void {
    const departed = (): void => this.#departed();
    // Deno fires request.signal after success too, and warns; its `completed` says what happened.
    if (isFromDeno(info)) return void info?.completed?.catch(departed);
    const { signal } = request;
    if (signal.aborted) return departed();
    signal.addEventListener("abort", departed, { once: true });
    // A server's signal goes with its request. One that somebody has given to a Request of his own may live on.
    if (!isFromBun(info)) this.#unwatch = () => signal.removeEventListener("abort", departed);
  }

  #expire(seconds: number): void {
    this.#invocation?.expired(new RequestTimeoutError(`No response within ${seconds} s`));
  }

  cut(): void {
    this.#resolve(refusalOf(SERVICE_UNAVAILABLE, this.#method));
    this.#stream?.error(new Error("The response was cut: the server is shutting down"));
    this.#departed();
  }

  // The request body.

  #openBody(request: Request, contentLength: number | null, hasContent: boolean): void {
    const { body } = request;
    if (body !== null && !body.locked && !request.bodyUsed) {
      this.#source = body;
      this.#declared = contentLength ?? Infinity;
      this.#body = new RequestBody(this);
    } else if (body !== null) {
      this.#lose(new InputClosedError("The body of the Request has been read before the application was called"));
    } else if (hasContent) {
      // A Request with GET or HEAD has no body. An application that reads it must not take it for an empty one.
      this.#lose(new TruncatedBodyError(`This host passes no content of a ${request.method} request on`));
    }
  }

  #lose(error: InputError): void {
    this.#body = new RequestBody(this);
    this.#body.fail(error);
  }

  wanted(): void {
    if (this.#reading || this.#source === null) return;
    this.#reading = true;
    this.#reader ??= this.#source.getReader();
    this.#reader.read().then(({ done, value }) => {
      this.#reading = false;
      if (done) this.#bodyEnded();
      else this.#take(value);
    }, () => this.#body.fail(new TruncatedBodyError("The client ended the request body before its declared end")));
  }

  #take(bytes: Uint8Array): void {
    const { limitRequestBody } = this.#settings;
    this.#received += bytes.length;
    if (this.#received > limitRequestBody) {
      this.#body.fail(new BodyTooLargeError(`The body is longer than limitRequestBody, ${limitRequestBody} bytes`));
      return;
    }
    this.#body.push(bytes);
    if (bytes.length === 0) this.wanted();
  }

  #bodyEnded(): void {
    const missing = this.#declared === Infinity ? 0 : this.#declared - this.#received;
    if (missing <= 0) return this.#body.finish();
    this.#body.fail(new TruncatedBodyError(`The request body ended ${missing} bytes before its declared end`));
  }

  /** The response is over, for `reason`. */
  #close(reason: string): void {
    this.#body.discard(reason);
    this.#release(reason);
  }

  /** Lets go of the request: the host need not wait for the rest of its body. */
  #release(reason: string): void {
    const source = this.#reader ?? this.#source;
    this.#source = null;
    source?.cancel(reason).catch(() => {}); // the host's stream may have failed: it has been told
    this.#clearTimer?.();
    this.#unwatch?.();
    this.#closing?.leave(this);
  }

  // The response.

  head(head: ResponseHead, length: number | null, bodyless: boolean): void {
    this.#head = head;
    this.#length = length;
    if (bodyless) this.#respond(null);
  }

  body(block: Octets): boolean {
    const bytes = bytesOf(block);
    if (this.#stream === undefined) {
      if (bytes.length === this.#length) {
        this.#whole = bytes;
        return true;
      }
      this.#respond(this.#responseStream());
    }
    this.#stream?.enqueue(bytes);
    return (this.#stream?.desiredSize ?? 0) > 0;
  }

  end(): void {
    if (this.#stream !== undefined) this.#stream.close();
    else this.#respond(this.#whole ?? new Uint8Array(0));
    this.#close("the response has ended");
  }

  abort(_error: unknown): void {
    if (this.#stream === undefined) this.#respond(this.#responseStream());
    this.#stream?.error(new Error("The response failed")); // what the host logs of it; the cause is in errorLog
    this.#close("the response has failed");
  }

  refuse(status: string): void {
    this.#resolve(refusalOf(status, this.#method));
    this.#close("the request was refused");
  }

  informational(): void {} // a Response has no room for it

  upgrade(): RawSocket {
    throw new RequestError("upgrade: a fetch host gives no socket");
  }

  #responseStream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#stream = controller),
      pull: () => this.#invocation?.drained(),
      cancel: () => this.#departed(),
    }, { highWaterMark: MARK, size: (bytes) => bytes?.length ?? 0 });
  }

  /** Settles the response, once; a body for a status that has none is dropped. */
  #respond(body: Uint8Array | ReadableStream<Uint8Array> | null): void {
    const head = this.#head as ResponseHead;
    const headers = new Headers();
    const own = { ...NO_OWN_FIELDS, server: this.#settings.serverHeader };
    for (const [name, value] of finalFields(head, this.#length, own)) headers.append(name, value);
    this.#resolve(
      new Response(isContentless(head.code) ? null : body as BodyInit, {
        status: head.code > 599 ? 500 : head.code, // a Response has no others
        statusText: head.status.slice(4),
        headers,
      }),
    );
  }

  #departed(): void {
    this.#resolve(new Response(null, { status: 500 })); // for nobody, but a handler is expected to settle
    this.#body.fail(new InputClosedError("The client closed the connection"));
    this.#invocation?.departed();
    this.#release("the client has gone");
  }
}
