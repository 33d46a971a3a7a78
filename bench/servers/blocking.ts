/**
 * An application that blocks its event loop for as many milliseconds as the path says.
 *
 * @module
 */

import process from "node:process";
import type { Environ, StartResponse } from "../../mod.ts";

/** Blocks, then returns a text with the id of its process. */
export function block(milliseconds: number): string {
  for (const end = performance.now() + milliseconds; performance.now() < end;);
  return `pid=${process.pid}\n`;
}

export function app(environ: Environ, startResponse: StartResponse): string[] {
  const text = block(Number(environ.PATH_INFO.slice(1)));
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return [text];
}
