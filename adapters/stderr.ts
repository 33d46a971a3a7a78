/**
 * Standard error as a log that never holds up requests.
 *
 * A pipe or socket whose reader is slow takes no more at some point, and a write that waits for it would stop the event
 * loop. So text goes out by calls that do not wait. What is not taken yet stays in memory up to a bound, what comes
 * beyond it is dropped, and the next line that gets out is preceded by the number of lines that did not. When nobody
 * reads the other end any more, all of it is lost, and nothing is thrown.
 *
 * Each runtime has a call of its own that does not wait:
 *
 * - Deno: `Deno.stderr.write`, which needs no permission and no module of Node.
 * - Bun: the writer of `Bun.stderr`. The stream `process.stderr` would take more time than all else that a server needs
 *   to start.
 * - Node: a file and a terminal are written at once. A pipe is opened a second time without blocking, where the system
 *   has `/proc`. All else takes the stream `process.stderr`, which costs milliseconds.
 *
 * @module
 */

/** Writes text; a promise that is given settles when it is written, or cannot be. */
type Outlet = (text: string) => Promise<unknown> | undefined;

const STDERR = 2;
const MOST_WAITING = 1024 * 1024; // code units
const RETRY = 20; // ms, when a pipe is full

const runtime = globalThis as unknown as {
  readonly process: NodeJS.Process;
  readonly Deno?: { readonly stderr: { write(bytes: Uint8Array): Promise<number> } };
  readonly Bun?: { readonly stderr: { writer(): { write(text: string): number; flush(): number | Promise<number> } } };
};

let outlet: Outlet | undefined;
let waiting = "";
let writing = false;
let lost = 0; // lines

/** Appends text to standard error. Nothing is thrown, and nothing waits. */
export function writeStderr(text: string): void {
  if (waiting.length > MOST_WAITING) lost += linesOf(text);
  else waiting += text;
  if (!writing) send();
}

function send(): void {
  while (waiting !== "") {
    const before = lost;
    const lines = linesOf(waiting);
    const report = before === 0 ? "" : `tsgi: ${before} line${before === 1 ? "" : "s"} of this log were lost here\n`;
    const text = report + waiting;
    waiting = "";
    lost = 0;
    const failed = (): void => void (lost += before + lines);
    try {
      outlet ??= openOutlet();
      const written = outlet(text);
      if (written === undefined) continue;
      writing = true;
      written.catch(failed).then(() => {
        writing = false;
        send();
      });
      return;
    } catch {
      failed();
    }
  }
}

function linesOf(text: string): number {
  return Math.max(1, text.split("\n").length - 1);
}

function openOutlet(): Outlet {
  const { Deno: deno, Bun: bun } = runtime;
  if (deno !== undefined) return (text) => writeAll(text, (bytes) => deno.stderr.write(bytes), "WouldBlock");
  if (bun !== undefined) {
    const writer = bun.stderr.writer();
    return (text) => {
      writer.write(text);
      const flushed = writer.flush();
      return typeof flushed === "number" ? undefined : flushed;
    };
  }
  return nodeOutlet();
}

function nodeOutlet(): Outlet {
  const { process } = runtime;
  const { constants, fstatSync, openSync, writeSync } = process.getBuiltinModule("node:fs");
  const kind = fstatSync(STDERR);
  const write = (fd: number) => (text: string): Promise<void> | undefined => {
    let bytes: Uint8Array = new TextEncoder().encode(text);
    try {
      while (bytes.length > 0) bytes = bytes.subarray(writeSync(fd, bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      return writeAll(bytes, (rest) => writeSync(fd, rest), "EAGAIN");
    }
    return undefined;
  };
  if (kind.isFile() || kind.isCharacterDevice()) return write(STDERR);
  if (kind.isFIFO()) {
    try {
      return write(openSync(`/proc/self/fd/${STDERR}`, constants.O_WRONLY | constants.O_NONBLOCK));
    } catch {
      // No Linux, or a pipe of another user.
    }
  }
  const stream = process.stderr.on("error", () => {}); // unheard, it would end the process
  return (text) =>
    new Promise<void>((resolve, reject) => {
      stream.write(text, (error) => error ? reject(error) : resolve());
    });
}

/** Writes all of it; `full` is how the system calls a pipe that takes nothing now. */
async function writeAll(
  all: string | Uint8Array,
  write: (bytes: Uint8Array) => number | Promise<number>,
  full: string,
): Promise<void> {
  let bytes = typeof all === "string" ? new TextEncoder().encode(all) : all;
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(await write(bytes));
    } catch (error) {
      const { code, name } = error as { code?: string; name: string };
      if (code !== full && name !== full) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }
}
