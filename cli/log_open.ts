/**
 * Opening a log, so that no write to it waits for a reader, and so that root gives away no file by mistake.
 *
 * **Waiting.** Pipes, terminals and devices are opened without blocking: a write that finds no room says so. The standard
 * streams are shared with other processes, so how they block is not for this one to change. Where the system has
 * `/proc`, a pipe among them is opened a second time. A socket cannot be: Node does not block on one anyway, elsewhere it
 * is written by calls that wait in a thread of their own.
 *
 * **Root.** With `--user`, the arbiter opens logs as root and gives them to that user, often in a directory where that
 * user can put a link in the place of the log. So root follows links that only root can have made, opens the log itself
 * without following any, looks where it has arrived, and changes the owner of the descriptor, never of a path. A log that
 * is a file has to be one with a single name: a second one could be the name of another file. Pipes and devices are
 * written to and keep their owner.
 *
 * @module
 */

import { closeSync, constants, fchownSync, fstatSync, lstatSync, openSync, readlinkSync, type Stats } from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import type { Identity } from "./user.ts";

/** A log that is open. */
export interface OpenLog {
  readonly fd: number;
  /** Whether it is a file: then a write waits for nobody, and several processes can append to it. */
  readonly file: boolean;
  /** Whether a write could wait for a reader. */
  readonly waits: boolean;
  /** Whether the descriptor is this log's own, to be closed with it. */
  readonly own: boolean;
}

/** Standard output or standard error. */
export type Standard = 1 | 2;

const { O_WRONLY, O_RDWR, O_APPEND, O_CREAT, O_NONBLOCK, O_NOCTTY, O_NOFOLLOW } = constants;
const MODE = 0o644;
const MOST_LINKS = 40; // as Linux has it

/** Other names of the standard streams: a user may not open what root has as its standard output, but may write to it. */
const STANDARD_NAMES: Readonly<Record<string, Standard>> = { "/dev/stdout": 1, "/dev/stderr": 2 };

/** The standard stream that a path stands for; undefined for a file. `-` is `standard`. */
export function standardOf(path: string, standard: Standard): Standard | undefined {
  return path === "-" ? standard : STANDARD_NAMES[path];
}

/** The path of a log for a process whose working directory may change: an application calls `process.chdir()`. */
export function fixedPath(path: string): string {
  return standardOf(path, 2) === undefined ? resolve(path) : path;
}

/**
 * Opens a log to append to it, and makes it where it is not there.
 *
 * @param path Its path; `-` for `standard`.
 * @param owner Whom root gives it to.
 * @throws the system's error, or one that says what is wrong with the path.
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
    // A socket, a pipe of another user, or no Linux.
  }
  const { deno, bun } = process.versions;
  const node = deno === undefined && bun === undefined;
  if (node) makeStream(fd);
  return { fd, file: false, waits: !node, own: false };
}

const made = new Set<Standard>();

/** Has Node make the stream of a descriptor, for what that does to it: it no longer blocks. */
function makeStream(fd: Standard): void {
  if (made.has(fd)) return;
  made.add(fd);
  (fd === 1 ? process.stdout : process.stderr).on("error", () => {}); // unheard, it would end the process
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
    // A named pipe that nobody reads yet: as a reader of it too, a writer need not wait.
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
      return real; // no Linux: the links were looked at before
    }
  }
}

/**
 * A path without links; each that it leads over is root's, in a directory where nobody else can replace it.
 *
 * @throws {Error} at a link that somebody else can make lead elsewhere.
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
  const shared = (mode & 0o022) !== 0 && (mode & 0o1000) === 0; // others can write, and replace what is not theirs
  return lstatSync(path).uid === 0 && uid === 0 && !shared;
}
