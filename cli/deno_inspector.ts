/**
 * Deno's inspector and USR1.
 *
 * From version 2.9.2 on, Deno opens its inspector on port 9229 when USR1 comes, whatever handlers there are, and no flag
 * or setting keeps it from that. Whoever can connect to the inspector runs code as this process, and USR1 is what tells
 * tsgi to open its logs anew. So the inspector is closed again as soon as it is open, some milliseconds later, unless
 * the process was started with an inspector.
 *
 * @module
 */

import { close, url } from "node:inspector";
import process from "node:process";

const EVERY = 1; // ms between two looks
const LONGEST = 1000; // ms after the signal in which the inspector opens

/** Closes the inspector that USR1 opens. Without the permission `--allow-sys` nothing can be done. */
export function keepInspectorClosed(): void {
  try {
    if (url() !== undefined) return;
  } catch {
    return;
  }
  let until = 0;
  let timer: ReturnType<typeof setInterval> | undefined;
  process.on("SIGUSR1", () => {
    until = performance.now() + LONGEST;
    timer ??= setInterval(() => {
      if (url() !== undefined) close();
      if (performance.now() < until) return;
      clearInterval(timer);
      timer = undefined;
    }, EVERY);
  });
}
