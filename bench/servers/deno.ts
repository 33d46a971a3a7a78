/**
 * The baseline of Deno: Deno.serve.
 *
 * @module
 */

import { handlers } from "./fetch_handlers.ts";
import { job, ready } from "./jobs.ts";

interface Serving {
  serve(
    options: { hostname: string; port: number; onListen: (address: { port: number }) => void },
    handler: (request: Request) => Response | Promise<Response>,
  ): unknown;
}

const { Deno } = globalThis as unknown as { Deno: Serving };
Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: ({ port }) => ready(port) }, handlers[job()]);
