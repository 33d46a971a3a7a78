/**
 * The Exchange of fetch hosts: the body of a Request becomes `wsgi.input`, and the application's output becomes a
 * Response.
 *
 * @module
 */

import { bytesOf } from "../core/gateway/response_body.ts";
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
import { isContentless } from "../core/contract/response_head.ts";
import type { Environ } from "../core/contract/types.ts";
import type { Settings } from "../core/server/options.ts";
import { SERVICE_UNAVAILABLE } from "../core/refusal.ts";
import type { Exchange, Octets, ResponseHead } from "../core/seams.ts";
import { after, type Cuttable, type FetchClosing } from "./fetch_closing.ts";
import { type FetchInfo, isFromBun, isFromDeno } from "./fetch_target.ts";

const MARK = 65536; // bytes that a response stream buffers before the application has to wait

/** Makes a complete response that states only its status. */
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
  #source: ReadableStream<Uint8Array> | null = null; // the request body; null once it is no longer needed
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #body: RequestBody = RequestBody.empty();
  #declared = Infinity; // the Content-Length of the request, if there is one
  #reading = false;
  #received = 0;
  #head: ResponseHead | undefined;
  #length: number | null = null;
  #whole: Uint8Array | undefined; // a response body that came in one block
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  #clearTimer: (() => void) | undefined;
  #unwatch: (() => void) | undefined; // removes the listener from the request's signal
  #resolve: (response: Response) => void = () => {};

  /** Makes an exchange for `gateway`. If there is a `closing`, the exchange registers with it. */
  constructor(gateway: Gateway, all: Settings, closing: FetchClosing | undefined) {
    this.#gateway = gateway;
    this.#settings = all;
    this.#closing = closing;
  }

  /** Calls the application and resolves with its response. */
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
    // Deno fires request.signal after success too, and prints a warning. So `completed` is used there.
    if (isFromDeno(info)) return void info?.completed?.catch(departed);
    const { signal } = request;
    if (signal.aborted) return departed();
    signal.addEventListener("abort", departed, { once: true });
    // On Bun the signal is garbage together with its request. A signal that a program passed to its own Request may
    // live longer, so the listener has to be removed.
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
      // A Request with GET or HEAD carries no body, even if the client sent one. An application that reads it must get
      // an error, not an empty body.
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

  /** Ends the exchange, because the response is over. */
  #close(reason: string): void {
    this.#body.discard(reason);
    this.#release(reason);
  }

  /** Releases the request, so that the host need not wait for the rest of its body. */
  #release(reason: string): void {
    const source = this.#reader ?? this.#source;
    this.#source = null;
    source?.cancel(reason).catch(() => {}); // the host's stream may have failed, which is already reported
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
    this.#stream?.error(new Error("The response failed")); // the host logs this text; the cause is in errorLog
    this.#close("the response has failed");
  }

  refuse(status: string): void {
    this.#resolve(refusalOf(status, this.#method));
    this.#close("the request was refused");
  }

  #responseStream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>({
      start: (controller) => void (this.#stream = controller),
      pull: () => this.#invocation?.drained(),
      cancel: () => this.#departed(),
    }, { highWaterMark: MARK, size: (bytes) => bytes?.length ?? 0 });
  }

  /** Resolves with the response; only the first call has an effect. Drops the body if the status allows none. */
  #respond(body: Uint8Array | ReadableStream<Uint8Array> | null): void {
    const head = this.#head as ResponseHead;
    const headers = new Headers();
    const own = { ...NO_OWN_FIELDS, server: this.#settings.serverHeader };
    for (const [name, value] of finalFields(head, this.#length, own)) headers.append(name, value);
    this.#resolve(
      new Response(isContentless(head.code) ? null : body as BodyInit, {
        status: head.code > 599 ? 500 : head.code, // the Response constructor takes no higher status
        statusText: head.status.slice(4),
        headers,
      }),
    );
  }

  #departed(): void {
    this.#resolve(new Response(null, { status: 500 })); // unread, but the host expects an answer
    this.#body.fail(new InputClosedError("The client closed the connection"));
    this.#invocation?.departed();
    this.#release("the client has gone");
  }
}
