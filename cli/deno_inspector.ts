/**
 * Closes the inspector that Deno opens at USR1.
 *
 * From version 2.9.2 on, Deno opens its inspector on port 9229 when USR1 comes, even if the process handles USR1. No
 * flag or setting prevents that. Whoever can connect to the inspector can run code as this process, and USR1 is the
 * signal that makes tsgi reopen its logs. So this module closes the inspector some milliseconds after it has opened,
 * unless the process was started with an inspector.
 *
 * @module
 */

import { close, url } from "node:inspector";
import process from "node:process";

const EVERY = 1; // ms between two checks
const LONGEST = 1000; // ms after the signal within which the inspector opens

/** Closes the inspector each time USR1 opens it. Does nothing without the permission `--allow-sys`. */
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
