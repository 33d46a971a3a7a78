/**
 * Delays a program's own exit while its worker stops.
 *
 * Programs often exit at a signal: `process.on("SIGTERM", () => process.exit(0))`. In a worker, that would cut running
 * requests. So while the worker stops, `process.exit` only sets the exit status, and the worker exits with it when the
 * requests are done. At any other time, `process.exit` exits at once, as usual.
 *
 * Other programs, such as Nest, remove their handler and send the signal to themselves again. That is delayed too.
 *
 * @module
 */

import process from "node:process";

/** The delayed exit of a program. */
export interface HeldExit {
  /** Settles when the program has called its exit. */
  readonly called: Promise<void>;
  /** Exits at once, with the status that the program has passed to its exit, else with this one. */
  exit(code: number): void;
  /** Undoes the replacement. */
  restore(): void;
}

const ENDING: ReadonlySet<unknown> = new Set(["SIGTERM", "SIGINT", "SIGQUIT", "SIGKILL", 15, 2, 3, 9]);

interface DenoGlobal {
  exit: (code?: number) => void;
}

/**
 * Replaces `process.exit`, `Deno.exit`, and `process.kill` for signals to the process itself.
 *
 * @param stopping Returns whether the worker is stopping.
 */
export function holdExit(stopping: () => boolean): HeldExit {
  const { exit: processExit, kill: processKill } = process;
  const exit = processExit.bind(process) as (code?: number | string | null) => void;
  const kill = processKill.bind(process);
  const { Deno } = globalThis as unknown as { readonly Deno?: DenoGlobal };
  const denoExit = Deno?.exit;
  let named: number | string | null | undefined;
  let end: () => void = () => {};
  const called = new Promise<void>((resolve) => end = resolve);
  process.exit = ((code?: number | string | null): void => {
    if (!stopping()) return exit(code);
    named = code ?? process.exitCode ?? 0;
    end();
  }) as typeof process.exit;
  process.kill = (pid, signal = "SIGTERM") => {
    if (pid !== process.pid || !stopping() || !ENDING.has(signal)) return kill(pid, signal);
    end();
    return true;
  };
  // Deno's process.exit() calls Deno.exit().
  if (Deno !== undefined) Deno.exit = (code) => stopping() ? process.exit(code) : denoExit?.(code);
  const restore = (): void => {
    Object.assign(process, { exit: processExit, kill: processKill });
    if (denoExit !== undefined) Object.assign(Deno as DenoGlobal, { exit: denoExit });
  };
  const exitNow = (code: number): void => {
    restore();
    exit(named ?? code);
  };
  return { called, exit: exitNow, restore };
}
