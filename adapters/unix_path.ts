/**
 * The path of a Unix socket: taken before listening, given back after.
 *
 * A runtime refuses a path that exists, and leaves the file behind when it stops. So a socket at which nobody answers,
 * left by a process that died, is removed; one at which somebody answers, or a file of another kind, is not.
 *
 * @module
 */

import { chmodSync, lstatSync, unlinkSync } from "node:fs";
import { connect } from "node:net";
import { ListenError } from "../core/errors.ts";

/**
 * Makes sure that `path` can be listened on.
 *
 * @throws {ListenError} (as a rejection) when a server answers there, or it is no socket.
 */
export async function claimPath(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) throw new ListenError(`unix:${path}`, "there is a file that is not a socket", "EEXIST");
  if (await answers(path)) throw new ListenError(`unix:${path}`, "another server listens there", "EADDRINUSE");
  unlinkSync(path);
}

/** Sets the mode of the socket that now listens at `path`. */
export function setMode(path: string, mode: number | undefined): void {
  if (mode !== undefined) chmodSync(path, mode);
}

/** Removes the socket after the server has stopped. */
export function releasePath(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is gone already.
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
