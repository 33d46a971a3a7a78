/**
 * Makes an environ without a server, for tests that call an application or middleware directly.
 *
 * @module
 */

import { errorText } from "../core/errors.ts";
import { ErrorStream } from "../core/contract/error_stream.ts";
import { InputStream } from "../core/contract/input_stream.ts";
import { GatewayRequest } from "../core/contract/tsgi_request.ts";
import type { Environ } from "../core/contract/types.ts";
import { settings } from "../core/server/options.ts";
import { contentOf } from "./content.ts";
import { prepare, type RequestParts, targetOf } from "./request_parts.ts";
import { Upload } from "./upload.ts";

/** Options of {@linkcode createEnviron}. */
export interface EnvironOptions extends RequestParts {
  /** Path and query. Default `"/"`. */
  readonly path?: string;
  /** `wsgi.url_scheme`. Default `"http"`. */
  readonly scheme?: "http" | "https";
  /** The Host field, and so SERVER_NAME and SERVER_PORT. Default `"localhost"`. */
  readonly host?: string;
  /** Where the application is mounted: SCRIPT_NAME, when the path is below it. */
  readonly scriptName?: string;
  /** REMOTE_ADDR. Default `"127.0.0.1"`. */
  readonly remoteAddress?: string;
  /** Receives the text written to `wsgi.errors`. */
  readonly errorLog?: (text: string) => void;
  /** The client leaves when this fires. It triggers `tsgi.request.signal`. */
  readonly signal?: AbortSignal;
}

/**
 * Makes a complete environ according to PEP 3333, with a readable body.
 *
 * @throws {Refusal} for a request that a server would refuse.
 * @throws {TypeError} for a header that no client can send.
 *
 * @example
 * ```ts
 * import { createEnviron } from "tsgi/testing";
 * const environ = createEnviron({ path: "/caf\u00e9?a=1", method: "PUT", json: [1, 2], host: "example.org:8080" });
 * console.assert(environ.REQUEST_METHOD === "PUT" && environ.QUERY_STRING === "a=1");
 * console.assert(environ.PATH_INFO === "/caf\u00c3\u00a9"); // the octets of UTF-8
 * console.assert(environ.SERVER_PORT === "8080" && environ.CONTENT_TYPE === "application/json");
 * console.assert(new TextDecoder().decode(await environ["wsgi.input"].read()) === "[1,2]");
 * ```
 */
export function createEnviron(options: EnvironOptions = {}): Environ {
  const errorLog = options.errorLog ?? ((): void => {});
  const all = settings({ scriptName: options.scriptName ?? "" }, { port: undefined, errorLog });
  const errors = new ErrorStream(errorLog);
  const content = contentOf(options);
  const where = {
    scheme: options.scheme ?? "http",
    host: options.host ?? "localhost",
    remoteAddress: options.remoteAddress ?? "127.0.0.1",
  };
  const method = options.method ?? (content.source === null ? "GET" : "POST");
  const { environ: own, ...parts } = options;
  const { environ, contentLength } = prepare(
    method,
    targetOf(options.path ?? "/", options.query),
    parts,
    content,
    all,
    where,
    errors,
  );
  const { body } = new Upload(content.source, contentLength, Infinity);
  environ["wsgi.input"] = new InputStream(body, all.limitReadline);
  let { signal } = options;
  environ["tsgi.request"] = new GatewayRequest({
    exchange: undefined,
    headSent: false,
    clientEnded: false,
    get signal() {
      return signal ??= new AbortController().signal;
    },
    onDeparture: (listener) => {
      signal ??= new AbortController().signal;
      const { aborted, reason } = signal;
      if (aborted) queueMicrotask(() => listener(reason));
      else signal.addEventListener("abort", () => listener(signal?.reason), { once: true });
    },
    offered: "",
    upgraded: () => {},
    waitUntil: (promise) => void promise.catch((error) => errors.write(`waitUntil: ${errorText(error)}\n`)),
  });
  return { ...environ, ...own } as Environ; // assigning `__proto__` would set the prototype
}
