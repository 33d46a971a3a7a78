/**
 * Standard error through `node:process`, which outlives its reader.
 *
 * When nobody reads the other end any more, a write fails later, as an event of the stream; unheard, it would end the
 * process for the sake of a log line.
 *
 * @module
 */

import process from "node:process";

let guarded = false;

/** Appends text to standard error. */
export function writeStderr(text: string): void {
  if (!guarded) process.stderr.on("error", () => {});
  guarded = true;
  process.stderr.write(text);
}
