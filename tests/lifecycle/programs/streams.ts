/**
 * Event streams that never end, on the sockets of whatever runtime this is; `/heap` collects garbage, and tells what is left.
 *
 * It is started by `collectingCommand` of tests/server_process.ts. With the argument `fetch` it is `toFetch` on the runtime's
 * own server.
 *
 * @module
 */

import process from "node:process";
import { getHeapSnapshot } from "node:v8";
import { type ApplicationFunction, serve, toFetch } from "../../../mod.ts";
import { type Heap, liveHeap } from "./heap.ts";

type Handler = (request: Request, info: unknown) => Response | Promise<Response>;

interface Globals {
  readonly Bun?: {
    serve(options: { hostname: string; port: number; idleTimeout: number; fetch: Handler }): { readonly port: number };
  };
  readonly Deno?: {
    serve(
      options: { hostname: string; port: number; onListen: () => void },
      handler: Handler,
    ): { readonly addr: { readonly port: number } };
  };
}

/** What is left, and the streams that have not been closed. */
export interface StreamsHeap extends Heap {
  readonly open: number;
}

const { Bun, Deno } = globalThis as unknown as Globals;
let open = 0;

const app: ApplicationFunction = async (environ, startResponse) => {
  if (environ.PATH_INFO === "/heap") {
    startResponse("200 OK", [["Content-Type", "application/json"]]);
    const heap: StreamsHeap = { ...await liveHeap(), open };
    return JSON.stringify(heap);
  }
  if (environ.PATH_INFO === "/snapshot") {
    startResponse("200 OK", [["Content-Type", "application/json"]]);
    return getHeapSnapshot() as unknown as AsyncIterable<Uint8Array>;
  }
  startResponse("200 OK", [["Content-Type", "text/event-stream"]]);
  return events(environ["tsgi.request"].signal);
};

async function* events(signal: AbortSignal): AsyncGenerator<string> {
  open++;
  try {
    for (let i = 0; !signal.aborted; i++) {
      yield `data: ${i}\n\n`;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, 50);
        function done(): void {
          clearTimeout(timer);
          signal.removeEventListener("abort", done);
          resolve();
        }
        signal.addEventListener("abort", done);
      });
    }
  } finally {
    open--;
  }
}

const where = { hostname: "127.0.0.1", port: 0 };
if (process.argv[2] !== "fetch") await serve(app, { ...where, onListen: ({ port }) => console.log(`port ${port}.`) });
else if (Deno !== undefined) {
  const { addr } = Deno.serve({ ...where, onListen: () => {} }, toFetch(app) as unknown as Handler);
  console.log(`port ${addr.port}.`);
} else {
  console.log(`port ${Bun?.serve({ ...where, idleTimeout: 60, fetch: toFetch(app) as unknown as Handler }).port}.`);
}
