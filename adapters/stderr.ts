/**
 * Standard error, which outlives its reader.
 *
 * Text is written at once. The stream `process.stderr` is made where that is not possible: to make it takes Node
 * milliseconds and Bun more than all else that a server needs to start. When nobody reads the other end any more, the
 * stream tells of it later, as an event; unheard, that would end the process for the sake of a log line.
 *
 * @module
 */

const STDERR = 2;
const runtime = globalThis as unknown as { readonly process: NodeJS.Process };
let stream: NodeJS.WriteStream | undefined;

/** Appends text to standard error. */
export function writeStderr(text: string): void {
  const rest = stream === undefined ? writeAtOnce(text) : text;
  if (rest.length === 0) return;
  stream ??= runtime.process.stderr.on("error", () => {});
  stream.write(rest);
}

/** Writes what the system takes, and gives what is left. */
function writeAtOnce(text: string): string | Uint8Array {
  if (runtime.process.versions.bun !== undefined) return logOnBun(text);
  const fs = runtime.process.getBuiltinModule("node:fs");
  let bytes: Uint8Array = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(fs.writeSync(STDERR, bytes));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EPIPE") return ""; // nobody reads it
  }
  return bytes;
}

/** The console of Bun writes whole lines, and ignores that nobody reads them. */
function logOnBun(text: string): string {
  if (!text.endsWith("\n")) return text;
  console.error(text.slice(0, -1));
  return "";
}
