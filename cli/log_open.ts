/**
 * Opens a log such that no write to it waits for a reader, and such that root changes the owner of no other file.
 *
 * **Waiting.** Pipes, terminals and devices are opened with O_NONBLOCK: a write that finds no room fails at once. The
 * standard streams are shared with other processes, so this process must not change their mode. Where the system has
 * `/proc`, a pipe among them is opened a second time. A socket cannot be opened again. Node does not block on a socket
 * anyway; the other runtimes write to it by calls that wait in a separate thread.
 *
 * **Root.** With `--user`, the arbiter opens logs as root and makes that user their owner. Often that user can write to
 * the directory and could replace the log by a link. So root follows only links that nobody but root can have made. It
 * opens the log itself without following a link, checks which path it has opened, and changes the owner of the
 * descriptor, never of a path. A log that is a regular file must have a single name (hard link), because a second name
 * could be that of an important file. Pipes and devices are written to and keep their owner.
 *
 * @module
 */

import { closeSync, constants, fchownSync, fstatSync, lstatSync, openSync, readlinkSync, type Stats } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import type { Identity } from "./user.ts";

/** An open log. */
export interface OpenLog {
  readonly fd: number;
  /** Whether it is a regular file. A write to one never waits for a reader, and several processes can append to it. */
  readonly file: boolean;
  /** Whether a write could wait for a reader. */
  readonly waits: boolean;
  /** Whether the descriptor belongs to this log and is closed with it. */
  readonly own: boolean;
}

/** Standard output or standard error. */
export type Standard = 1 | 2;

const { O_WRONLY, O_RDWR, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY, O_NOFOLLOW } = constants;
const MODE = 0o644;
const MOST_LINKS = 40; // the limit of Linux

/** Other names of the standard streams. A user may write to root's standard output, but may not open it by its path. */
const STANDARD_NAMES: Readonly<Record<string, Standard>> = { "/dev/stdout": 1, "/dev/stderr": 2 };

/** The standard stream that a path stands for; undefined for a file. `-` stands for `standard`. */
export function standardOf(path: string, standard: Standard): Standard | undefined {
  return path === "-" ? standard : STANDARD_NAMES[path];
}

/** The absolute path of a log, because an application may change the working directory by `process.chdir()`. */
export function fixedPath(path: string): string {
  return standardOf(path, 2) === undefined ? resolve(path) : path;
}

/**
 * Opens a log for appending, and creates it if it does not exist.
 *
 * @param path Its path; `-` stands for `standard`.
 * @param owner The owner that root gives to it.
 * @throws the system's error, or an error that explains what is wrong with the path.
 */
export function openLog(path: string, standard: Standard, owner?: Identity): OpenLog {
  const stream = standardOf(path, standard);
  if (stream !== undefined) return openStandard(stream);
  const given = process.getuid?.() === 0 && (owner?.uid !== undefined || owner?.gid !== undefined);
  const fd = given ? openAsRoot(path, owner) : open(path);
  return { fd, file: fstatSync(fd).isFile(), waits: false, own: true };
}

/** Closes a log. */
export function closeLog({ fd, own }: OpenLog): void {
  if (own) closeSync(fd);
}

function openStandard(fd: Standard): OpenLog {
  if (statusOf(fd)?.isFile() === true) return { fd, file: true, waits: false, own: false };
  try {
    const again = openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
    return { fd: again, file: false, waits: false, own: true };
  } catch {
    // A socket, a pipe of another user, or not Linux.
  }
  const { deno, bun } = process.versions;
  const node = deno === undefined && bun === undefined;
  if (node) makeStream(fd);
  return { fd, file: false, waits: !node, own: false };
}

const made = new Set<Standard>();

/** Makes Node create the stream of a descriptor, because that sets the descriptor to not block. */
function makeStream(fd: Standard): void {
  if (made.has(fd)) return;
  made.add(fd);
  (fd === 1 ? process.stdout : process.stderr).on("error", () => {}); // an unhandled error event would end the process
}

function statusOf(fd: number): Stats | undefined {
  try {
    return fstatSync(fd);
  } catch {
    return undefined; // it is closed
  }
}

function open(path: string, more = 0): number {
  const flags = O_APPEND | O_NONBLOCK | O_NOCTTY | more;
  try {
    return openSync(path, O_WRONLY | O_CREAT | flags, MODE);
  } catch (error) {
    // A named pipe without a reader refuses a writer. With O_RDWR this process is its reader too.
    if ((error as NodeJS.ErrnoException).code === "ENXIO") return openSync(path, O_RDWR | flags);
    throw error;
  }
}

function openAsRoot(path: string, { uid, gid }: Identity): number {
  const real = followRootLinks(resolve(path));
  const fd = open(real, O_NOFOLLOW);
  try {
    const status = fstatSync(fd);
    if (placeOf(fd) !== real) throw new Error(`${real} was moved while it was opened`);
    if (!status.isFile()) return fd;
    if (status.nlink !== 1) {
      throw new Error(`${real} has ${status.nlink} names: root gives away files with one name only`);
    }
    const wanted = [uid ?? status.uid, gid ?? status.gid] as const;
    if (status.uid !== wanted[0] || status.gid !== wanted[1]) fchownSync(fd, ...wanted);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }

  function placeOf(descriptor: number): string {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      return real; // not Linux: only the check of the links before applies
    }
  }
}

/**
 * Resolves the links of a path. Each of them must belong to root and be in a directory where only root can replace it.
 *
 * @throws {Error} at a link that another user can change.
 */
function followRootLinks(path: string): string {
  const names = path.split("/");
  let place = "/";
  let links = 0;
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    if (name === "" || name === ".") continue;
    const next = name === ".." ? dirname(place) : join(place, name);
    if (name !== ".." && lstatSync(next, { throwIfNoEntry: false })?.isSymbolicLink() === true) {
      if (!belongsToRoot(next, place) || ++links > MOST_LINKS) {
        throw new Error(`${next} is a symbolic link, and root follows none that other users can change`);
      }
      const target = readlinkSync(next);
      names.unshift(...target.split("/"));
      if (target.startsWith("/")) place = "/";
    } else {
      place = next;
    }
  }
  return place;
}

/** Whether only root can change what is at a path in a directory. */
function belongsToRoot(path: string, directory: string): boolean {
  const { uid, mode } = lstatSync(directory);
  const shared = (mode & 0o022) !== 0 && (mode & 0o1000) === 0; // others can write, without the sticky bit
  return lstatSync(path).uid === 0 && uid === 0 && !shared;
}
