/**
 * A CGI script on Node.js and Bun.
 *
 * A blocking read would wait in a thread and keep the process from exiting. The import of `node:process` prevents that:
 * it makes Node open standard input, so that reads no longer block.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { read, readFileSync, write, writeSync } from "node:fs";
import process from "node:process";
import { AT_ONCE, LAST_ERRORS, type ScriptProcess, SIGNAL_CODES } from "./cgi_process.ts";
import { latin1With } from "./latin1.ts";

const [STDIN, STDOUT, STDERR] = [0, 1, 2] as const;
const RETRY = 2; // ms until the next attempt, when a non-blocking stream is empty or full

/** Does one read or write, and retries until the stream is ready. */
function transfer(operation: typeof read | typeof write, fd: number, bytes: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    const attempt = (): void =>
      (operation as typeof read)(fd, bytes, 0, bytes.length, null, (error, count) => {
        if (error === null || error === undefined) resolve(count);
        else if (error.code === "EAGAIN") setTimeout(attempt, RETRY);
        else if (error.code === "EOF") resolve(0);
        else reject(error);
      });
    attempt();
  });
}

let atOnce = AT_ONCE;

async function writeOutput(bytes: Uint8Array): Promise<number> {
  if ((atOnce -= bytes.length) < 0) return await transfer(write, STDOUT, bytes);
  try {
    return writeSync(STDOUT, bytes);
  } catch (error) {
    if ((error as { code?: string }).code !== "EAGAIN") throw error;
    return await transfer(write, STDOUT, bytes);
  }
}

let pending: Promise<unknown> | undefined;

/**
 * Writes to standard error, which is non-blocking on Node. A pipe holds 64 KiB until somebody reads; the rest waits.
 */
function writeErrors(text: string): void {
  let bytes: Uint8Array = Buffer.from(text);
  try {
    while (pending === undefined && bytes.length > 0) bytes = bytes.subarray(writeSync(STDERR, bytes));
  } catch (error) {
    if ((error as { code?: string }).code !== "EAGAIN") throw error;
  }
  if (bytes.length > 0) pending = (pending ?? Promise.resolve()).then(() => writeRest(bytes)).catch(() => {});
}

async function writeRest(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await transfer(write, STDERR, bytes.subarray(at));
}

/** Exits once standard error is flushed, including what Node's console has buffered. */
function exit(code: number): void {
  const end = (): void => process.exit(code);
  const held = process.versions.bun === undefined && process.stderr.writableLength > 0; // Bun's console buffers nothing
  if (pending === undefined && !held) return end();
  setTimeout(end, LAST_ERRORS);
  const written = held ? new Promise((resolve) => process.stderr.on("error", resolve).write("", resolve)) : undefined;
  Promise.all([pending, written]).then(end);
}

/** The process. */
export const script: ScriptProcess = {
  latin1: latin1With(Buffer),
  turn: (callback) => void setImmediate(callback),
  environmentBytes: () => {
    try {
      return readFileSync("/proc/self/environ");
    } catch {
      return null;
    }
  },
  environment: () => process.env,
  read: async (memory) => await transfer(read, STDIN, memory) || null,
  write: writeOutput,
  errors: writeErrors,
  onSignal: (listener) => {
    for (const [name, code] of Object.entries(SIGNAL_CODES)) process.on(name, () => listener(code));
  },
  parent: () => process.ppid,
  exit,
};
