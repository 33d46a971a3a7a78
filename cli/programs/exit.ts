/**
 * How a program ends itself, while its worker stops.
 *
 * Programs end themselves when they are told to stop: `process.on("SIGTERM", () => process.exit(0))`. In a worker that
 * would cut the requests that run. So once the worker stops, the call only names the exit status, and the worker exits with
 * it when the requests are done. At any other time it exits at once, as everywhere.
 *
 * Others remove their handler and send themselves the signal again, as Nest does: that means the same.
 *
 * @module
 */

import process from "node:process";

/** The end of a program, held. */
export interface HeldExit {
  /** Settles when the program has ended itself. */
  readonly called: Promise<void>;
  /** Exits at once, with the status that the program has named, else with this one. */
  exit(code: number): void;
  /** Undoes the replacement. */
  restore(): void;
}

const ENDING: ReadonlySet<unknown> = new Set(["SIGTERM", "SIGINT", "SIGQUIT", "SIGKILL", 15, 2, 3, 9]);

interface DenoGlobal {
  exit: (code?: number) => void;
}

/**
 * Replaces `process.exit`, `Deno.exit`, and `process.kill` of the process itself.
 *
 * @param stopping Whether the worker stops.
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
