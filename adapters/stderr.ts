/**
 * Writes the log to standard error without ever blocking requests.
 *
 * When the reader of a pipe or socket is slow, its buffer fills, and a blocking write would stop the event loop. So
 * text is written with non-blocking calls. Text that is not yet accepted stays in memory, up to a limit. Text beyond
 * the limit is dropped, and a line with the number of lost lines precedes the next output. When nobody reads the other
 * end any more, all text is lost, and nothing is thrown.
 *
 * Each runtime has its own non-blocking call:
 *
 * - Deno: `Deno.stderr.write`, which needs no permission and no module of Node.
 * - Bun: the writer of `Bun.stderr`. To load the stream `process.stderr` would take longer than the rest of a server's
 *   start.
 * - Node: a file and a terminal are written synchronously. A pipe is opened a second time as non-blocking, if the
 *   system has `/proc`. Everything else uses the stream `process.stderr`, which costs milliseconds to load.
 *
 * @module
 */

/** Writes text. A returned promise settles when the text is written, or rejects when it cannot be. */
type Outlet = (text: string) => Promise<unknown> | undefined;

const STDERR = 2;
const MOST_WAITING = 1024 * 1024; // code units held in memory
const RETRY = 20; // ms until the next attempt, when a pipe is full

const runtime = globalThis as unknown as {
  readonly process: NodeJS.Process;
  readonly Deno?: { readonly stderr: { write(bytes: Uint8Array): Promise<number> } };
  readonly Bun?: { readonly stderr: { writer(): { write(text: string): number; flush(): number | Promise<number> } } };
};

let outlet: Outlet | undefined;
let waiting = "";
let writing = false;
let lost = 0; // lines dropped since the last report

/** Appends text to standard error. Never throws and never blocks. */
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
      // Not Linux, or the pipe belongs to another user.
    }
  }
  const stream = process.stderr.on("error", () => {}); // without a listener, an error would end the process
  return (text) =>
    new Promise<void>((resolve, reject) => {
      stream.write(text, (error) => error ? reject(error) : resolve());
    });
}

/** Writes all bytes, and retries while the pipe is full. `full` is the code or name of that error. */
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
