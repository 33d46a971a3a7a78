/**
 * A CGI script on Deno. It uses no `node:` modules, because loading them takes longer than the rest of a script's run.
 *
 * @module
 */

import { readLatin1 } from "../core/grammar.ts";
import { AT_ONCE, LAST_ERRORS, type ScriptProcess, SIGNAL_CODES } from "./cgi_process.ts";

/** The part of the global `Deno` that is used here. */
interface DenoGlobal {
  readonly stdin: { read(memory: Uint8Array): Promise<number | null> };
  readonly stdout: { write(bytes: Uint8Array): Promise<number>; writeSync(bytes: Uint8Array): number };
  readonly stderr: { write(bytes: Uint8Array): Promise<number>; writeSync(bytes: Uint8Array): number };
  readonly ppid: number;
  readonly env: { toObject(): Record<string, string> };
  readFileSync(path: string): Uint8Array;
  addSignalListener(signal: string, listener: () => void): void;
  exit(code: number): void;
}

declare const Deno: DenoGlobal;

const RETRY = 2; // ms until the next attempt, when a non-blocking stream is empty or full

/** Retries until a non-blocking stream is ready. */
async function whenReady<T>(attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if ((error as Error).name !== "WouldBlock") throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }
}

let atOnce = AT_ONCE;

function writeOutput(bytes: Uint8Array): Promise<number> {
  const small = (atOnce -= bytes.length) >= 0;
  // deno-lint-ignore require-await -- what it throws is to be a rejection
  return whenReady(async () => small ? Deno.stdout.writeSync(bytes) : Deno.stdout.write(bytes));
}

let pending: Promise<void> | undefined;

/** Writes to standard error, which may be a full non-blocking pipe. The rest then waits until somebody reads. */
function writeErrors(text: string): void {
  let bytes: Uint8Array = new TextEncoder().encode(text);
  try {
    while (pending === undefined && bytes.length > 0) bytes = bytes.subarray(Deno.stderr.writeSync(bytes));
  } catch (error) {
    if ((error as Error).name !== "WouldBlock") throw error;
  }
  if (bytes.length > 0) pending = (pending ?? Promise.resolve()).then(() => writeRest(bytes)).catch(() => {});
}

async function writeRest(bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await whenReady(() => Deno.stderr.write(bytes.subarray(at)));
}

function exit(code: number): void {
  const end = (): void => Deno.exit(code);
  if (pending === undefined) return end();
  setTimeout(end, LAST_ERRORS);
  pending.then(end);
}

/** The process. */
export const script: ScriptProcess = {
  latin1: readLatin1,
  turn: (callback) => void setTimeout(callback, 0),
  environmentBytes: () => {
    try {
      return Deno.readFileSync("/proc/self/environ"); // needs all permissions
    } catch {
      return null;
    }
  },
  environment: () => {
    try {
      return Deno.env.toObject();
    } catch {
      return {}; // no permission to read it, or it is not UTF-8
    }
  },
  read: (memory) => whenReady(() => Deno.stdin.read(memory)),
  write: writeOutput,
  errors: writeErrors,
  onSignal: (listener) => {
    for (const [name, code] of Object.entries(SIGNAL_CODES)) Deno.addSignalListener(name, () => listener(code));
  },
  parent: () => Deno.ppid,
  exit,
};
