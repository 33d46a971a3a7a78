/**
 * The default application of wsgiref: it greets and shows its environ.
 *
 * @module
 */

import { describe } from "../core/errors.ts";
import type { Environ, StartResponse } from "../core/contract/types.ts";

/**
 * Greets, and lists the environ: sorted, one key per line.
 *
 * @example
 * ```ts
 * import { serve } from "tsgi";
 * import { demoApp } from "tsgi/wsgiref";
 * const server = await serve(demoApp, { port: 0, onListen: () => {} });
 * const answer = await (await fetch(`http://127.0.0.1:${server.address.port}/spam`)).text();
 * console.assert(answer.startsWith("Hello world!\n") && answer.includes('PATH_INFO = string "/spam"\n'));
 * await server.shutdown({ timeout: 0 });
 * ```
 */
export function demoApp(environ: Environ, startResponse: StartResponse): Uint8Array[] {
  const lines = Object.keys(environ).sort().map((key) => `${key} = ${describe(environ[key])}\n`);
  startResponse("200 OK", [["Content-Type", "text/plain; charset=utf-8"]]);
  return [new TextEncoder().encode(`Hello world!\n\n${lines.join("")}`)];
}
