/**
 * Replaces `Deno.serve` in a worker, so that the worker serves the program's handler.
 *
 * @module
 */

import { addressOf, type Capture, ProgramError, type Served } from "./program.ts";

type Handler = (request: Request, info: never) => Response | Promise<Response>;

/** The options of `Deno.serve` that are used here. */
interface Options {
  readonly handler?: Handler;
  readonly port?: number;
  readonly path?: string;
  readonly cert?: unknown;
  readonly key?: unknown;
  readonly signal?: AbortSignal;
  readonly onListen?: (address: object) => void;
  readonly onError?: (error: unknown) => Response | Promise<Response>;
}

/** The global that is replaced. */
interface DenoGlobal {
  serve: (...args: unknown[]) => unknown;
}

/** Captures `Deno.serve`. */
export function captureDenoServe(capture: Capture): void {
  const { Deno } = globalThis as unknown as { readonly Deno: DenoGlobal };
  const original = Deno.serve;
  Deno.serve = (...args) => {
    const { handler, options } = argumentsOf(args);
    if (!capture.decided && (options.cert !== undefined || options.key !== undefined)) {
      throw new ProgramError(
        "Deno.serve is called with a certificate. A worker gets plain requests from the command: leave `cert` and `key` out",
      );
    }
    const where = options.path ?? (options.port === undefined ? "its default port" : `port ${options.port}`);
    const served: Served = { kind: "fetch", handler: withErrors(handler, options.onError) };
    if (!capture.listens(`Deno.serve on ${where}`, served)) return original.apply(Deno, args);
    return server(options, served, capture);
  };
}

/** Reads the three forms of arguments: `(handler)`, `(options, handler)`, `(options with a handler)`. */
function argumentsOf(args: readonly unknown[]): { handler: Handler; options: Options } {
  const options = (args.find((one) => typeof one === "object" && one !== null) ?? {}) as Options;
  const handler = (args.find((one) => typeof one === "function") ?? options.handler) as Handler | undefined;
  if (typeof handler !== "function") throw new TypeError("Deno.serve: expected a handler function, got none");
  return { handler, options };
}

/** Wraps the handler, so that `onError` answers when it throws. */
function withErrors(handler: Handler, onError: Options["onError"]): Handler {
  if (onError === undefined) return handler;
  return async (request, info) => {
    try {
      return await handler(request, info);
    } catch (error) {
      return await onError(error);
    }
  };
}

function server(options: Options, served: Served, capture: Capture): object {
  const address = addressOf(capture.bind);
  const addr = typeof address === "string"
    ? { transport: "unix", path: address }
    : { transport: "tcp", hostname: address.address, port: address.port };
  let finish = (): void => {};
  const finished = new Promise<void>((resolve) => finish = resolve);
  void capture.drained.then(finish);
  const shutdown = (): Promise<void> => {
    void capture.closes(served).then(finish);
    return finished;
  };
  options.signal?.addEventListener("abort", () => void shutdown(), { once: true });
  if (options.onListen !== undefined) options.onListen(addr);
  return {
    addr,
    finished,
    shutdown,
    ref: () => {},
    unref: () => {},
    [Symbol.asyncDispose]: shutdown,
  };
}
