/**
 * What a runtime gives to a CGI script: its environment, its standard streams, its signals.
 *
 * @module
 */

import type { Host } from "../core/seams.ts";

/** A process that a web server has started. */
export interface ScriptProcess extends Pick<Host, "latin1" | "turn"> {
  /** The environment as octets, `NAME=value` with NUL behind each; null where the system does not show it. */
  environmentBytes(): Uint8Array | null;
  /** The environment as text: it has lost what is no UTF-8. */
  environment(): Readonly<Record<string, string | undefined>>;
  /** Reads from standard input; null at its end. */
  read(memory: Uint8Array): Promise<number | null>;
  /** Writes to standard output, perhaps less than it is given. */
  write(bytes: Uint8Array): Promise<number>;
  /** Appends text to standard error; what a pipe has no room for follows before `exit`. */
  errors(text: string): void;
  /** Calls `listener` with the exit code that a signal asks for. */
  onSignal(listener: (code: number) => void): void;
  /** The id of the parent process. */
  parent(): number;
  /** Ends the process, once standard error has been written. */
  exit(code: number): void;
}

/** Exit codes of the signals that end a script: 128 and the number of the signal. */
export const SIGNAL_CODES = { SIGTERM: 143, SIGINT: 130 } as const;

/**
 * Bytes that are written to standard output without a thread of their own: a pipe or socket that nobody has written to
 * has room for these, so that it does not stop the event loop, and handing them to a thread takes longer than the rest
 * of a small response.
 */
export const AT_ONCE = 16384;

/** Milliseconds that a web server has at the end to read what is left of standard error. */
export const LAST_ERRORS = 5000;

/**
 * Has the console write to standard error alone: what it writes to standard output would be a part of the response. What
 * a program writes to `process.stdout` itself goes where it says.
 */
export function consoleToStandardError(): void {
  let other: Console | undefined; // has the counters, timers and tables; made when one of them is used
  const { error } = console;
  const all = console as unknown as Record<string, (...args: unknown[]) => void>;
  for (const name of ["log", "info", "debug"]) {
    all[name] = (...args) => other === undefined ? error(...args) : other.log(...args);
  }
  const rest = ["table", "dir", "dirxml", "count", "countReset", "time", "timeLog", "timeEnd"];
  for (const name of [...rest, "group", "groupCollapsed", "groupEnd"]) {
    all[name] = (...args) => {
      const { process } = globalThis as unknown as { process: NodeJS.Process };
      const { Console } = process.getBuiltinModule("node:console");
      other ??= new Console({ stdout: process.stderr, stderr: process.stderr });
      (other as unknown as typeof all)[name]?.(...args);
    };
  }
  if ((globalThis as { Bun?: unknown }).Bun === undefined) return; // Node and Deno trace to standard error
  all["trace"] = (...args) => {
    error(...args);
    error(new Error().stack?.split("\n").slice(2).join("\n"));
  };
}
