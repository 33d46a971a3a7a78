/**
 * The process interface that a CGI script needs from a runtime: environment, standard streams, signals.
 *
 * @module
 */

import type { Host } from "../core/seams.ts";

/** A process that a web server has started. */
export interface ScriptProcess extends Pick<Host, "latin1" | "turn"> {
  /**
   * The environment as octets: `NAME=value` entries, each followed by NUL. Null where the system does not provide it.
   */
  environmentBytes(): Uint8Array | null;
  /** The environment as text. Octets that are not UTF-8 are lost. */
  environment(): Readonly<Record<string, string | undefined>>;
  /** Reads from standard input; null at its end. */
  read(memory: Uint8Array): Promise<number | null>;
  /** Writes to standard output. May write only a part; the result is the number of bytes written. */
  write(bytes: Uint8Array): Promise<number>;
  /** Appends text to standard error. What a full pipe does not take is written before `exit`. */
  errors(text: string): void;
  /** Calls `listener` with the exit code that a signal asks for. */
  onSignal(listener: (code: number) => void): void;
  /** The id of the parent process. */
  parent(): number;
  /** Ends the process, once standard error is flushed. */
  exit(code: number): void;
}

/** Exit codes for the signals that end a script: 128 plus the signal number. */
export const SIGNAL_CODES = { SIGTERM: 143, SIGINT: 130 } as const;

/**
 * Up to this many bytes are written to standard output synchronously. A fresh pipe or socket has room for them, so the
 * event loop does not block. To hand them to a thread would take longer than the rest of a small response.
 */
export const AT_ONCE = 16384;

/** Milliseconds to wait at exit for the web server to read the rest of standard error. */
export const LAST_ERRORS = 5000;

/**
 * Redirects the console to standard error, because its output on standard output would become part of the response.
 * Direct writes to `process.stdout` are not redirected.
 */
export function consoleToStandardError(): void {
  let other: Console | undefined; // implements counters, timers and tables; made on first use of one
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
  if ((globalThis as { Bun?: unknown }).Bun === undefined) return; // Node and Deno already trace to standard error
  all["trace"] = (...args) => {
    error(...args);
    error(new Error().stack?.split("\n").slice(2).join("\n"));
  };
}
