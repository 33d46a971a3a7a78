/**
 * A name for a file of ours in a directory that others may write in too.
 *
 * The file is made under a name that nobody can guess, and then renamed. A rename follows no link, truncates nothing,
 * and leaves no moment without a file. The name is removed only while the file that was put there still has it, since
 * another program may have put one of its own there: the two differ by device and inode, or, since the inode of a file
 * that was removed is soon given to another, by the time of their birth.
 *
 * @module
 */

import { lstatSync, renameSync, unlinkSync } from "node:fs";

const LETTERS = 12; // of a temporary name: 62 bits

/** What tells a file from every other, whatever its name and rights. A link is not followed. Undefined for no file. */
export function identityAt(path: string): string | undefined {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : `${stat.dev}:${stat.ino}:${stat.birthtimeNs}`;
}

/**
 * A free name in the directory of `path`.
 *
 * @param most Bytes that the name with its directory may have. It is never longer than `path` where that is as long.
 */
export function temporaryName(path: string, most: number = Infinity): string {
  const directory = path.slice(0, path.lastIndexOf("/") + 1);
  const room = most - new TextEncoder().encode(directory).length;
  for (;;) {
    const letters = Array.from(crypto.getRandomValues(new Uint8Array(LETTERS)), (byte) => (byte % 36).toString(36));
    const name = `${directory}${`.tsgi-${letters.join("")}`.slice(-room)}`;
    if (name !== path && lstatSync(name, { throwIfNoEntry: false }) === undefined) return name;
  }
}

/**
 * Gives the file at `temporary` its name.
 *
 * @param before The identity of what may be replaced at `path`, undefined for nothing.
 * @returns what removes the name while it is still that of this file; undefined, and the file is removed, when something
 *   else stands at `path` by now.
 * @throws the system's error; the file is removed then too.
 */
export function placeFile(temporary: string, path: string, before: string | undefined): (() => void) | undefined {
  const ours = identityAt(temporary);
  try {
    if (identityAt(path) !== before) {
      unlinkSync(temporary);
      return undefined;
    }
    renameSync(temporary, path);
  } catch (error) {
    removeFile(temporary, ours);
    throw error;
  }
  return () => removeFile(path, ours);
}

/** Removes the name of a file, if it still is that of the file with this identity. */
function removeFile(path: string, identity: string | undefined): void {
  try {
    if (identityAt(path) === identity) unlinkSync(path);
  } catch {
    // It is gone already, or its directory is.
  }
}
