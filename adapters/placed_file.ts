/**
 * Places a file safely in a directory that other programs may write to as well.
 *
 * The file is created under a name that nobody can guess, and then renamed. A rename follows no link, truncates
 * nothing, and leaves no moment without a file. Another program may replace the file later, so the name is removed only
 * while it still belongs to our file. Device and inode tell the two apart. The system soon reuses the inode of a
 * removed file, so the birth time is compared too.
 *
 * @module
 */

import { lstatSync, renameSync, unlinkSync } from "node:fs";

const LETTERS = 12; // of a temporary name: 62 bits
const TRIES = 1000; // names that are tried: where there is room for one letter, all 36 names may be taken

/**
 * Returns an identity that distinguishes a file from all others, whatever its name and mode. Does not follow links.
 * Undefined when there is no file.
 */
export function identityAt(path: string): string | undefined {
  const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  return stat === undefined ? undefined : `${stat.dev}:${stat.ino}:${stat.birthtimeNs}`;
}

/**
 * Finds a free name in the directory of `path`. Undefined when all names that are short enough seem to be taken.
 *
 * @param most Maximum length in bytes of the name with its directory. For a `path` that is as long as this, the name is
 *   no longer than `path`.
 */
export function temporaryName(path: string, most: number): string | undefined;
export function temporaryName(path: string): string;
export function temporaryName(path: string, most: number = Infinity): string | undefined {
  const directory = path.slice(0, path.lastIndexOf("/") + 1);
  const room = most - new TextEncoder().encode(directory).length;
  for (let tries = 0; room > 0 && tries < TRIES; tries++) {
    const letters = Array.from(crypto.getRandomValues(new Uint8Array(LETTERS)), (byte) => (byte % 36).toString(36));
    const name = `${directory}${`.tsgi-${letters.join("")}`.slice(-room)}`;
    if (name !== path && lstatSync(name, { throwIfNoEntry: false }) === undefined) return name;
  }
  return undefined;
}

/**
 * Renames the file at `temporary` to `path`.
 *
 * @param before The identity of the file that may be replaced at `path`; undefined when there must be none.
 * @returns a function that removes the name while it still belongs to this file. When something else is at `path` by
 *   now, the file is removed and the result is undefined.
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

/** Removes a file, if its identity is still this one. */
function removeFile(path: string, identity: string | undefined): void {
  try {
    if (identityAt(path) === identity) unlinkSync(path);
  } catch {
    // The file or its directory is already gone.
  }
}
