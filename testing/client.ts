/**
 * A test client that calls an application like a server, but without a socket.
 *
 * @module
 */

import { asFunction } from "../core/contract/application.ts";
import { createGateway } from "../core/gateway/gateway.ts";
import { ErrorStream } from "../core/contract/error_stream.ts";
import type { Application } from "../core/contract/types.ts";
import { type Settings, settings } from "../core/server/options.ts";
import type { ServeOptions } from "../core/server/serve_options.ts";
import { Refusal } from "../core/refusal.ts";
import { CookieJar } from "./cookies.ts";
import { ApplicationFailedError, watched } from "./errors.ts";
import { type SentHead, TestExchange } from "./exchange.ts";
import { type Content, contentOf, pairs } from "./content.ts";
import { type Endpoints, prepare, type RequestParts, targetOf } from "./request_parts.ts";
import { type Interim, TestResponse } from "./response.ts";
import { Upload } from "./upload.ts";

/** The client cannot follow a redirect: to another site, in a loop, or with a body that is already consumed. */
export class RedirectError extends Error {
  /** Name of the class. */
  override readonly name = "RedirectError";
}

/** Options of a client. Server options that need no socket have the same meaning here. */
export interface ClientOptions extends
  Pick<
    ServeOptions,
    | "errorLog"
    | "headerMap"
    | "limitReadline"
    | "limitRequestBody"
    | "limitRequestFields"
    | "limitRequestFieldSize"
    | "limitRequestLine"
    | "multiprocess"
    | "scriptName"
    | "urlScheme"
    | "writeBufferLimit"
  > {
  /** Host, with port if needed, for the Host field of requests. Default `"localhost"`. */
  readonly host?: string;
  /** Client address of the requests. Default `"127.0.0.1"`. */
  readonly remoteAddress?: string;
  /** Header fields for every request. Fields of a single request override them. */
  readonly headers?: RequestParts["headers"];
  /** Whether redirects are followed. Default `"manual"`: they are returned. */
  readonly redirect?: "manual" | "follow";
  /** Maximum number of redirects to follow for one request. Default 20. */
  readonly maxRedirects?: number;
  /** Whether a request rejects with the application's error. Default false: an error gives a 500 response. */
  readonly raise?: boolean;
}

/** Options of one request, besides its parts. */
export interface RequestOptions extends RequestParts {
  /** The client leaves when this fires. Before the response head, the request then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Whether redirects are followed. Default: that of the client. */
  readonly redirect?: "manual" | "follow";
  /** Called with each interim response (103) as it comes. */
  readonly onInterim?: (interim: Interim) => void;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Makes a test client for an application.
 *
 * @param app A function, a class, or an object with `wsgiApp` (PEP 3333, "The Application/Framework Side").
 * @throws {ApplicationError} when `app` is no application.
 * @throws {OptionError} for an option with a value it cannot have.
 *
 * @example
 * ```ts
 * import type { Environ, StartResponse } from "tsgi";
 * import { client } from "tsgi/testing";
 * const app = async (environ: Environ, startResponse: StartResponse) => {
 *   const body = await environ["wsgi.input"].read();
 *   startResponse("200 OK", [["Content-Type", environ.CONTENT_TYPE ?? "text/plain"]]);
 *   return [environ.PATH_INFO, "?", environ.QUERY_STRING, " ", body];
 * };
 * const response = await client(app).post("/search", { query: { q: "spam" }, form: { n: "2" } });
 * console.assert(response.status === 200);
 * console.assert(await response.text() === "/search?q=spam n=2");
 * ```
 *
 * @example The error itself
 * ```ts
 * import { client } from "tsgi/testing";
 * const broken = () => {
 *   throw new RangeError("too far");
 * };
 * console.assert((await client(broken).get("/")).status === 500);
 * const error = await client(broken, { raise: true }).get("/").catch((error) => error);
 * console.assert(error instanceof RangeError);
 * ```
 */
export function client(app: Application, options: ClientOptions = {}): TestClient {
  return new TestClient(app, options);
}

/**
 * A client: see {@linkcode client}. It keeps cookies from request to request.
 *
 * @example Redirects
 * ```ts
 * import { client } from "tsgi/testing";
 * const visitor = client((environ, startResponse) => {
 *   const old = environ.PATH_INFO === "/old";
 *   startResponse(old ? "303 See Other" : "200 OK", old ? [["Location", "/new"]] : [["Content-Type", "text/plain"]]);
 *   return old ? [] : [`${environ.REQUEST_METHOD} ${environ.PATH_INFO}`];
 * }, { redirect: "follow" });
 * const response = await visitor.post("/old", { form: { a: "1" } });
 * console.assert(await response.text() === "GET /new");
 * console.assert(response.history.length === 1 && response.history[0]?.status === 303);
 * ```
 */
export class TestClient {
  /** The received cookies that have not been removed. */
  readonly cookies: CookieJar = new CookieJar();
  readonly #app: Application;
  readonly #options: ClientOptions;
  readonly #settings: Settings;

  /** Made by {@linkcode client}. */
  constructor(app: Application, options: ClientOptions) {
    const { host, remoteAddress, headers, redirect, maxRedirects, raise, ...own } = options;
    this.#options = { host, remoteAddress, headers, redirect, maxRedirects, raise } as ClientOptions;
    this.#settings = settings(own, { port: undefined, errorLog: () => {} });
    asFunction(app); // throws now for a wrong argument, not at the first request
    this.#app = app;
  }

  /** Makes a GET request. */
  get(path: string, options: RequestOptions = {}): Promise<TestResponse> {
    return this.request(path, { ...options, method: "GET" });
  }

  /** Makes a HEAD request. */
  head(path: string, options: RequestOptions = {}): Promise<TestResponse> {
    return this.request(path, { ...options, method: "HEAD" });
  }

  /** Makes a POST request. */
  post(path: string, options: RequestOptions = {}): Promise<TestResponse> {
    return this.request(path, { ...options, method: "POST" });
  }

  /** Makes a PUT request. */
  put(path: string, options: RequestOptions = {}): Promise<TestResponse> {
    return this.request(path, { ...options, method: "PUT" });
  }

  /** Makes a PATCH request. */
  patch(path: string, options: RequestOptions = {}): Promise<TestResponse> {
    return this.request(path, { ...options, method: "PATCH" });
  }

  /** Makes a DELETE request. */
  delete(path: string, options: RequestOptions = {}): Promise<TestResponse> {
    return this.request(path, { ...options, method: "DELETE" });
  }

  /** Makes an OPTIONS request. */
  options(path: string, options: RequestOptions = {}): Promise<TestResponse> {
    return this.request(path, { ...options, method: "OPTIONS" });
  }

  /**
   * Makes a request.
   *
   * @param path Path and query, or a URL. Non-ASCII text is sent as percent-encoded UTF-8.
   * @returns the response, as soon as its head is there. The body is produced as the test reads it.
   * @throws {RedirectError} (as a rejection) for a redirect that cannot be followed.
   * @throws {TypeError} (as a rejection) for a request that no client can make.
   */
  async request(path: string, options: RequestOptions = {}): Promise<TestResponse> {
    const follow = (options.redirect ?? this.#options.redirect) === "follow";
    let where = this.#endpoints(path);
    let target = targetOf(pathOf(path), options.query);
    const content = contentOf(options);
    let method = options.method ?? (content.source === null ? "GET" : "POST");
    let step: { readonly parts: RequestOptions; readonly content: Content } = { parts: options, content };
    const history: TestResponse[] = [];
    for (;;) {
      const response = await this.#exchange(method, target, step.parts, step.content, where, [...history]);
      const location = response.headers.get("Location");
      if (!follow || location === null || !REDIRECTS.has(response.status)) return response;
      if (history.push(response) > (this.#options.maxRedirects ?? 20)) {
        throw new RedirectError(`More than ${history.length - 1} redirects, the last one to ${location}`);
      }
      await response.bytes();
      const next = new URL(location, `${where.scheme}://${where.host}${target}`);
      if (next.host !== where.host) throw new RedirectError(`A redirect to another site: ${location}`);
      where = { ...where, scheme: next.protocol === "https:" ? "https" : "http" };
      target = `${next.pathname}${next.search}`;
      if (becomesGet(response.status, method)) {
        method = method === "HEAD" ? "HEAD" : "GET";
        step = { parts: withoutBody(step.parts), content: contentOf({}) };
      } else if (step.content.source !== null && step.content.length === null) {
        throw new RedirectError(
          `A ${response.status} redirect wants the body again, and it came from an iterable or a stream`,
        );
      }
    }
  }

  #endpoints(path: string): Endpoints {
    const url = /^https?:\/\//i.test(path) ? new URL(path) : null;
    return {
      scheme: url === null ? this.#settings.urlScheme : url.protocol === "https:" ? "https" : "http",
      host: url?.host ?? this.#options.host ?? "localhost",
      remoteAddress: this.#options.remoteAddress ?? "127.0.0.1",
    };
  }

  async #exchange(
    method: string,
    target: string,
    parts: RequestOptions,
    content: Content,
    where: Endpoints,
    history: readonly TestResponse[],
  ): Promise<TestResponse> {
    const scope = {
      host: where.host.replace(/:[0-9]+$/, ""),
      path: target.split("?")[0] as string,
      secure: where.scheme === "https",
    };
    let log = "";
    const errors = new ErrorStream((text) => {
      log += text;
      this.#settings.errorLog(text);
    });
    let failure: { readonly error: unknown } | undefined;
    const app = this.#options.raise === true ? watched(this.#app, (error) => failure ??= { error }) : this.#app;
    const gateway = createGateway(app, errors, this.#settings, { turn: (callback) => void setTimeout(callback, 0) });
    const own = { ...parts, headers: this.#fields(parts, scope) };

    let exchange: TestExchange;
    const begin = { REQUEST_METHOD: method, SERVER_PROTOCOL: parts.protocol ?? "HTTP/1.1" };
    const onInterim = parts.onInterim ?? (() => {});
    try {
      parts.signal?.throwIfAborted();
      const { environ, contentLength } = prepare(method, target, own, content, this.#settings, where, errors);
      const upload = new Upload(content.source, contentLength, this.#settings.limitRequestBody);
      exchange = new TestExchange(begin, upload, onInterim, () => log);
      const leave = (): void => exchange.depart(parts.signal?.reason);
      parts.signal?.addEventListener("abort", leave, { once: true });
      exchange.onOver = () => parts.signal?.removeEventListener("abort", leave);
      exchange.run(gateway, environ);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      errors.write(`tsgi: refused a request: ${error.status}: ${error.message}\n`);
      exchange = new TestExchange(begin, new Upload(null, 0, 0), onInterim, () => log);
      exchange.refuse(error.status);
      exchange.failed = false; // the application did nothing
    }
    const { status, headers }: SentHead = await exchange.answered;
    const raise = (): void => {
      if (failure !== undefined) throw failure.error;
      if (exchange.failed) throw new ApplicationFailedError(log.trimEnd());
    };
    if (this.#options.raise === true) {
      if (exchange.failed) raise();
      exchange.onFailure = raise;
    }
    for (const [name, value] of headers) {
      if (name.toLowerCase() === "set-cookie") this.cookies.receive(value, scope);
    }
    return new TestResponse(status, headers, exchange, exchange.interims, history);
  }

  /** Returns the fields of a request: its own, those of the client, and the cookies. */
  #fields(parts: RequestOptions, scope: Parameters<CookieJar["send"]>[0]): [string, string][] {
    const own = pairs(parts.headers);
    const named = (name: string) => ([other]: readonly [string, string]) => other.toLowerCase() === name.toLowerCase();
    const inherited = pairs(this.#options.headers).filter(([name]) => !own.some(named(name)));
    const fields = [...inherited, ...own];
    const cookies = fields.some(named("Cookie")) ? null : this.cookies.send(scope);
    return cookies === null ? fields : [...fields, ["Cookie", cookies]];
  }
}

/** Whether a redirect changes the method to GET (RFC 9110 15.4): always for 303, and for 301 and 302 as browsers do. */
function becomesGet(status: number, method: string): boolean {
  return (status === 303 && method !== "HEAD") || ((status === 301 || status === 302) && method === "POST");
}

/** Removes the body and its header fields from a request, for a redirect that becomes a GET. */
function withoutBody({ body: _body, json: _json, form: _form, ...parts }: RequestOptions): RequestOptions {
  const headers = pairs(parts.headers).filter(([name]) => !/^(?:content-.*|transfer-encoding)$/i.test(name));
  return { ...parts, headers };
}

/** Returns the path and query of a path or URL, unchanged. */
function pathOf(path: string): string {
  const url = /^https?:\/\/[^/?#]*([^#]*)/i.exec(path);
  if (url === null) return path;
  return (url[1] as string).startsWith("/") ? url[1] as string : `/${url[1]}`;
}
