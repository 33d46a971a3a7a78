/**
 * What a program finds in its process that is the command's, and what it puts into the place of it.
 *
 * - The channel to the arbiter is the command's: `process.send` is undefined, as where a user has started the program.
 *   Programs for other process managers would send `"ready"` over it.
 * - A worker ends at an error that nobody has caught. A program that listens for these errors decides itself, as
 *   everywhere: then the worker's listeners go.
 *
 * @module
 */

import process from "node:process";

/** Sends a message to the process that has started this one. */
export type Send = (message: object) => void;

/** Takes `process.send` away; gives it to the worker. */
export function takeSend(): Send {
  const send = process.send?.bind(process);
  (process as { send: unknown }).send = undefined;
  return (message) => {
    if (process.connected === true) send?.(message, () => {}); // the arbiter may have died since
  };
}

/** Calls this with an error that nobody has caught, for as long as the application does not listen for such errors. */
export function whenUncaught(handler: (what: string, error: unknown) => void): void {
  const exception = (error: unknown): void => handler("Uncaught", error);
  const rejection = (error: unknown): void => handler("Unhandled rejection", error);
  process.on("uncaughtException", exception);
  process.on("unhandledRejection", rejection);
  process.on("newListener", (name) => {
    if (name !== "uncaughtException" && name !== "unhandledRejection") return;
    // Without a listener of its own, a rejection is an uncaught exception.
    process.off("unhandledRejection", rejection);
    if (name === "uncaughtException") process.off("uncaughtException", exception);
  });
}
