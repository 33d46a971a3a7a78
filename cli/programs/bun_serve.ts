/**
 * Replaces `Bun.serve` in a worker, so that the worker serves the program's handler.
 *
 * @module
 */

import { addressOf, type Capture, ProgramError, type Served } from "./program.ts";

/** The address of a client, as `requestIP` returns it. */
interface ClientAddress {
  readonly address: string;
  readonly port: number;
  readonly family: string;
}

/** The second argument that the bridge passes, after the request. */
interface Context {
  requestIP(request: Request): ClientAddress | null;
}

type Handler = (this: object, request: Request, server: object) => Response | Promise<Response>;

/** The options of `Bun.serve` that are used here. */
interface Options {
  readonly fetch?: Handler;
  readonly error?: (this: object, error: unknown) => Response | Promise<Response>;
  /** Names the server: a later call with the same name replaces what it serves. */
  readonly id?: string | null;
  readonly port?: number | string;
  readonly unix?: string;
  readonly tls?: unknown;
  readonly routes?: unknown;
  readonly static?: unknown;
  readonly websocket?: unknown;
  readonly development?: unknown;
}

/** The global that is replaced. */
interface BunGlobal {
  serve: (options: Options) => object;
}

/** An option that only Bun's own node:http passes. Its `listen()` is captured in `node_listen.ts`. */
const INTERNAL = "onNodeHTTPRequest";

/** Options that a worker cannot serve, with advice for the message. */
const REFUSED: readonly (readonly [keyof Options, string])[] = [
  ["tls", "a worker gets plain requests from the command: leave `tls` out"],
  ["websocket", "the command has no WebSockets yet"],
  ["routes", "the command does not know Bun's routes: answer in `fetch`, with a router of your own"],
  ["static", "the command does not know Bun's routes: answer in `fetch`, with a router of your own"],
];

/** Captures `Bun.serve`. */
export function captureBunServe(capture: Capture): void {
  const { Bun } = globalThis as unknown as { readonly Bun: BunGlobal };
  const original = Bun.serve;
  const byId = new Map<string, { reload(options: Options): object }>(); // the servers that have a name
  Bun.serve = (options) => {
    if (INTERNAL in options) return original.call(Bun, options);
    const id = options.id ?? "";
    const same = byId.get(id);
    if (same !== undefined) return same.reload(options); // as Bun does with --hot
    let current = capture.decided ? options : checked(options);
    const contexts = new WeakMap<Request, Context>();
    const handler = (request: Request, context: Context): Response | Promise<Response> => {
      contexts.set(request, context);
      return answer(current, request, server);
    };
    const where = options.unix ?? (options.port === undefined ? "its default port" : `port ${options.port}`);
    const served: Served = { kind: "fetch", handler };
    if (!capture.listens(`Bun.serve on ${where}`, served)) return original.call(Bun, options);
    const server = bunServer(capture, () => capture.closes(served), {
      id,
      fetch: (request: Request) => answer(current, request, server),
      requestIP: (request: Request) => contexts.get(request)?.requestIP(request) ?? null,
      reload: (next: Options) => {
        current = { ...current, ...checked(next) };
        return server;
      },
      development: Boolean(options.development ?? false),
    });
    if (id !== "") byId.set(id, server);
    return server;
  };
}

function checked(options: Options): Options {
  for (const [name, reason] of REFUSED) {
    if (options[name] !== undefined) throw new ProgramError(`Bun.serve is called with \`${name}\`: ${reason}`);
  }
  if (typeof options.fetch !== "function") throw new TypeError("Bun.serve: expected a function `fetch`, got none");
  return options;
}

async function answer({ fetch, error }: Options, request: Request, server: object): Promise<Response> {
  try {
    return await (fetch as Handler).call(server, request, server);
  } catch (thrown) {
    if (error === undefined) throw thrown;
    return await error.call(server, thrown);
  }
}

/** Makes an object with the members of a server of Bun. */
function bunServer<Own extends object>(capture: Capture, stop: () => Promise<void>, own: Own): Own {
  const address = addressOf(capture.bind);
  const tcp = typeof address === "string" ? undefined : address;
  const hostname = tcp?.address.includes(":") === true ? `[${tcp.address}]` : tcp?.address;
  return {
    address,
    port: tcp?.port,
    hostname: tcp?.address,
    url: new URL(tcp === undefined ? `unix://${address as string}` : `http://${hostname}:${tcp.port}/`),
    protocol: "http",
    pendingWebSockets: 0,
    get pendingRequests(): number {
      return capture.connections();
    },
    stop,
    closeIdleConnections: () => {},
    timeout: () => {},
    upgrade: () => false,
    publish: () => 0,
    subscriberCount: () => 0,
    ref: () => {},
    unref: () => {},
    [Symbol.dispose]: () => void stop(),
    ...own,
  };
}
