/**
 * Fetch hosts: `Deno.serve`, `Bun.serve`, `export default { fetch }`.
 *
 * Here the host parses the request and frames the response, so what is strict about the HTTP/1.1 wire of tsgi, and what
 * it does for `PATH_INFO`, is the host's affair. The handler is the same: it needs no socket.
 *
 * @module
 */

import { bytesOf } from "../core/gateway/body.ts";
import { type EnvironTemplate, serverTemplate } from "../core/gateway/environ.ts";
import { ErrorStream } from "../core/gateway/errors.ts";
import { createGateway, type Gateway } from "../core/gateway/gateway.ts";
import { Invocation } from "../core/gateway/invocation.ts";
import {
  type BodySource,
  BodyTooLargeError,
  InputClosedError,
  RequestBody,
  TruncatedBodyError,
} from "../core/gateway/request_body.ts";
import { RequestError } from "../core/gateway/request.ts";
import type { Application } from "../core/gateway/types.ts";
import { type ServeOptions, type Settings, settings } from "../core/options.ts";
import type { Exchange, Hijacked, Octets, ResponseHead } from "../core/seams.ts";
import { fetchEnviron, type FetchInfo } from "./fetch_environ.ts";

export type { FetchInfo } from "./fetch_environ.ts";

/** The options that make sense where the host has the socket. */
export type FetchOptions = Pick<
  ServeOptions,
  | "errorLog"
  | "headerMap"
  | "limitReadline"
  | "limitRequestBody"
  | "multiprocess"
  | "scriptName"
  | "serverHeader"
  | "urlScheme"
  | "writeBufferLimit"
>;

/** A fetch handler: what `toFetch` makes. `info` is what the host passes beside the request. */
export type FetchHandler = (request: Request, info?: FetchInfo) => Promise<Response>;

const MARK = 65536; // bytes a response stream holds before the application waits

/**
 * Makes a fetch handler of an application.
 *
 * @param app A function, a class, or an object with `wsgiApp` (PEP 3333, "The Application/Framework Side").
 * @param options Those of `serve` that need no socket.
 * @returns a function from a Request to a promise of a Response. An error of the application is a 500.
 * @throws {ApplicationError} when `app` is no application.
 * @throws {OptionError} for an option with a value it cannot have.
 *
 * @example
 * ```ts
 * import { toFetch } from "tsgi/fetch";
 * const handler = toFetch((_environ, startResponse) => {
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return ["hello"];
 * });
 * const response = await handler(new Request("http://localhost/"));
 * console.assert(response.status === 200 && await response.text() === "hello");
 * ```
 */
export function toFetch(app: Application, options: FetchOptions = {}): FetchHandler {
  const all = settings(options, { port: undefined, errorLog: (text) => console.error(text.trimEnd()) });
  const errors = new ErrorStream(all.errorLog);
  const gateway = createGateway(app, errors, all, { turn: (callback) => void setTimeout(callback, 0) });
  const template = serverTemplate({
    serverName: "",
    serverPort: "",
    scheme: all.urlScheme,
    multiprocess: all.multiprocess,
    runOnce: false,
    errors,
  });
  return (request, info) => new FetchExchange(gateway, all).answer(request, info, template);
}

/** One request and its response. */
class FetchExchange implements Exchange, BodySource {
  readonly #gateway: Gateway;
  readonly #settings: Settings;
  #invocation: Invocation | undefined;
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  #body: RequestBody = RequestBody.empty();
  #reading = false;
  #received = 0;
  #head: ResponseHead | undefined;
  #length: number | null = null;
  #whole: Uint8Array | undefined; // a body that came in one block
  #stream: ReadableStreamDefaultController<Uint8Array> | undefined;
  #resolve: (response: Response) => void = () => {};

  constructor(gateway: Gateway, all: Settings) {
    this.#gateway = gateway;
    this.#settings = all;
  }

  answer(request: Request, info: FetchInfo | undefined, template: EnvironTemplate): Promise<Response> {
    const response = new Promise<Response>((resolve) => this.#resolve = resolve);
    const environ = fetchEnviron(request, info, template, this.#settings);
    if (environ === null) {
      this.refuse("400 Bad Request");
      return response;
    }
    if (Number(environ.CONTENT_LENGTH ?? 0) > this.#settings.limitRequestBody) {
      this.refuse("413 Content Too Large");
      return response;
    }
    if (request.body !== null) {
      this.#reader = request.body.getReader();
      this.#body = new RequestBody(this);
    }
    this.#invocation = new Invocation(this.#gateway, this, environ, this.#body);
    const departed = (): void => this.#departed();
    // Deno fires request.signal after success too, and warns; its `completed` says what happened.
    if (info?.completed !== undefined) info.completed.catch(departed);
    else request.signal.addEventListener("abort", departed, { once: true });
    this.#invocation.run();
    return response;
  }

  // The request body.

  wanted(): void {
    if (this.#reading || this.#reader === undefined) return;
    this.#reading = true;
    this.#reader.read().then(({ done, value }) => {
      this.#reading = false;
      if (done) return this.#body.finish();
      this.#received += value.length;
      if (this.#received > this.#settings.limitRequestBody) {
        this.#body.fail(
          new BodyTooLargeError(`The body is longer than limitRequestBody, ${this.#settings.limitRequestBody} bytes`),
        );
      } else {
        this.#body.push(value);
        if (value.length === 0) this.wanted();
      }
    }, () => this.#body.fail(new TruncatedBodyError("The client ended the request body before its declared end")));
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
    this.#body.discard("the response has ended");
    if (this.#stream !== undefined) this.#stream.close();
    else this.#respond(this.#whole ?? new Uint8Array(0));
  }

  abort(_error: unknown): void {
    this.#body.discard("the response has failed");
    if (this.#stream === undefined) this.#respond(this.#responseStream());
    this.#stream?.error(new Error("The response failed")); // what the host logs of it; the cause is in errorLog
  }

  refuse(status: string): void {
    this.#body.discard("the request was refused");
    const headers = { "Content-Type": "text/plain; charset=utf-8" };
    this.#resolve(
      new Response(`${status}\n`, { status: Number(status.slice(0, 3)), statusText: status.slice(4), headers }),
    );
  }

  informational(): void {} // a Response has no room for it

  hijack(): Hijacked {
    throw new RequestError("hijack: a fetch host gives no raw socket");
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
    for (const [name, value] of head.headers) {
      if (head.code !== 204 || name.toLowerCase() !== "content-length") headers.append(name, value);
    }
    const stated = this.#length !== null && head.contentLength === null && head.code !== 204 && head.code !== 304;
    if (stated) headers.set("Content-Length", String(this.#length));
    if (!head.hasServer && this.#settings.serverHeader !== "") headers.set("Server", this.#settings.serverHeader);
    const nullBody = head.code === 204 || head.code === 205 || head.code === 304;
    this.#resolve(
      new Response(nullBody ? null : body as BodyInit, {
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
  }
}
