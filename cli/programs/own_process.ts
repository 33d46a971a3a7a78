/**
 * Separates the command's use of the process from the program's.
 *
 * - The command uses the channel to the arbiter. So `process.send` is undefined for the program, as if a user had
 *   started it. Programs for other process managers would otherwise send `"ready"` over the channel.
 * - A worker ends at an uncaught error. A program that listens for uncaught errors decides by itself, as usual: the
 *   worker then removes its own listeners.
 *
 * @module
 */

import process from "node:process";

/** Sends a message to the parent process. */
export type Send = (message: object) => void;

/** Removes `process.send`, and returns it for the worker. */
export function takeSend(): Send {
  const send = process.send?.bind(process);
  (process as { send: unknown }).send = undefined;
  return (message) => {
    if (process.connected === true) send?.(message, () => {}); // the arbiter may have died since
  };
}

/** Calls the handler with each uncaught error, until the application listens for such errors itself. */
export function whenUncaught(handler: (what: string, error: unknown) => void): void {
  const exception = (error: unknown): void => handler("Uncaught", error);
  const rejection = (error: unknown): void => handler("Unhandled rejection", error);
  process.on("uncaughtException", exception);
  process.on("unhandledRejection", rejection);
  process.on("newListener", (name) => {
    if (name !== "uncaughtException" && name !== "unhandledRejection") return;
    // An unhandled rejection without a listener becomes an uncaught exception, so the program's listener gets it.
    process.off("unhandledRejection", rejection);
    if (name === "uncaughtException") process.off("uncaughtException", exception);
  });
}
