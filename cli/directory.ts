/**
 * Remembers the working directory by the name it was entered with, so that a deploy can switch a symbolic link to
 * another release.
 *
 * The system knows the directory that a process is in, but not the link through which the process entered it. When a
 * deploy switches the link, or removes the old directory, the process is still in the old directory. So this module
 * keeps the name, and the arbiter enters the directory by that name again before it starts a worker. The name of the
 * first directory comes from the variable PWD, which the shell sets; `--chdir` names another directory.
 *
 * `nameOf` does the same for a path below such a directory: it gives the name that leads through the link.
 *
 * @module
 */

import { statSync } from "node:fs";
import { isAbsolute, resolve, sep } from "node:path";
import process from "node:process";

/** A directory that was entered: its name, and the real path at that time. */
interface Entered {
  readonly name: string;
  readonly real: string;
}

const entered: Entered[] = [];
let here: string | undefined;

/** The name of the directory that this process is in. */
export function workingDirectory(): string {
  if (here === undefined) note(nameFromShell() ?? process.cwd());
  return here as string;
}

/**
 * Changes the working directory. A relative name is below the current one.
 *
 * @throws the system's error when the directory cannot be entered.
 */
export function enter(path: string): void {
  // The name is not normalized before chdir: only the system knows where `..` leads behind a link.
  const name = isAbsolute(path) ? path : `${workingDirectory()}${sep}${path}`;
  process.chdir(name);
  note(isSame(resolve(name), ".") ? resolve(name) : name);
}

/**
 * Enters the working directory by its name again: the name may lead to another directory now.
 *
 * @throws the system's error when the name leads nowhere.
 */
export function enterAgain(): void {
  process.chdir(workingDirectory());
}

/** The name, through its link, of a path below a directory that was entered through one; other paths are unchanged. */
export function nameOf(path: string): string {
  for (const { name, real } of entered) {
    const rest = path === real ? "" : path.startsWith(real + sep) ? path.slice(real.length) : undefined;
    if (rest !== undefined) return name + rest;
  }
  return path;
}

function note(name: string): void {
  here = name;
  const real = process.cwd();
  if (name !== real) entered.push(linkOf(name, real));
}

/**
 * The link itself, without the part of the path below it. For `/app/current/web`, which is `/app/releases/1/web`, this
 * is the link `/app/current`, which leads to `/app/releases/1`.
 */
function linkOf(name: string, real: string): Entered {
  const names = name.split(sep);
  const reals = real.split(sep);
  while (names.length > 1 && reals.length > 1 && names.at(-1) === reals.at(-1)) {
    names.pop();
    reals.pop();
  }
  return { name: names.join(sep), real: reals.join(sep) };
}

/** The directory name in PWD, if it leads to the directory that this process is in. */
function nameFromShell(): string | undefined {
  const { PWD: name } = process.env;
  if (name === undefined || !isAbsolute(name)) return undefined;
  return isSame(name, ".") ? name : undefined;
}

/** Whether two paths lead to the same file or directory. */
function isSame(one: string, other: string): boolean {
  try {
    const [a, b] = [statSync(one), statSync(other)];
    return a.dev === b.dev && a.ino === b.ino;
  } catch {
    return false;
  }
}

/**
 * The path with which to start a program again: the path it was started with if that still is the program, else the
 * program's real path; in both cases by its name through a link.
 *
 * @param given The path that the program was started with.
 * @param path The path of the program.
 */
export function programName(given: string | undefined, path: string): string {
  return nameOf(given !== undefined && isSame(given, path) ? given : path);
}
