/**
 * `process.exit()` of a program, while its worker stops.
 *
 * Programs end themselves when they are told to stop: `process.on("SIGTERM", () => process.exit(0))`. In a worker that
 * would cut the requests that run. So once the worker stops, the call only names the exit status, and the worker exits with
 * it when the requests are done. At any other time it exits at once, as everywhere.
 *
 * @module
 */

import process from "node:process";

/** `process.exit` as it was. */
export type Exit = (code: number) => void;

/**
 * Replaces `process.exit`.
 *
 * @param stopping Whether the worker stops.
 * @returns what exits at once, with the status that the program has named, else with its own.
 */
export function holdExit(stopping: () => boolean): Exit {
  const exit = process.exit.bind(process) as (code?: number | string | null) => void;
  let named: number | string | null | undefined;
  process.exit = ((code?: number | string | null): void => {
    if (stopping()) named = code ?? process.exitCode ?? 0;
    else exit(code);
  }) as typeof process.exit;
  return (code) => exit(named ?? code);
}
