/**
 * The baseline of Bun: Bun.serve.
 *
 * @module
 */

import { handlers } from "./fetch_handlers.ts";
import { job, ready } from "./jobs.ts";

interface Serving {
  serve(options: {
    hostname: string;
    port: number;
    idleTimeout: number; // seconds
    fetch: (request: Request) => Response | Promise<Response>;
  }): { readonly port: number };
}

const { Bun } = globalThis as unknown as { Bun: Serving };
ready(Bun.serve({ hostname: "127.0.0.1", port: 0, idleTimeout: 60, fetch: handlers[job()] }).port);
