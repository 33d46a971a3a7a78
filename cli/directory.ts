/**
 * The working directory by the name that it was given, so that a deploy can switch a link to another release.
 *
 * The system knows the directory that a process is in, and no longer the link through which it came there: after the
 * link leads elsewhere, and after the old directory is removed, the process is still in the old one. So the name is
 * kept, and the directory is entered by that name again before each worker is started. The shell tells the name of the
 * directory in which the command was started by the variable PWD; `--chdir` tells another one.
 *
 * What lies below a link has a name too: `nameOf` gives the one that leads through the link.
 *
 * @module
 */

import { statSync } from "node:fs";
import { isAbsolute, resolve, sep } from "node:path";
import process from "node:process";

/** A directory that was entered: its name, and where that led. */
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
 * Goes to a directory; a relative name is below the working directory.
 *
 * @throws the system's error when it cannot be entered.
 */
export function enter(path: string): void {
  // Not normalized yet: what `..` means behind a link is known to the system only.
  const name = isAbsolute(path) ? path : `${workingDirectory()}${sep}${path}`;
  process.chdir(name);
  note(isSame(resolve(name), ".") ? resolve(name) : name);
}

/**
 * Goes to where the name of the working directory leads now.
 *
 * @throws the system's error when it leads nowhere.
 */
export function enterAgain(): void {
  process.chdir(workingDirectory());
}

/** The name of a path that lies below a directory which was entered through a link; others stay as they are. */
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

/** The link by itself: of `/app/current/web` that is `/app/releases/1/web` the part `current` that is `releases/1`. */
function linkOf(name: string, real: string): Entered {
  const names = name.split(sep);
  const reals = real.split(sep);
  while (names.length > 1 && reals.length > 1 && names.at(-1) === reals.at(-1)) {
    names.pop();
    reals.pop();
  }
  return { name: names.join(sep), real: reals.join(sep) };
}

/** What the shell says, if that is where this process is. */
function nameFromShell(): string | undefined {
  const { PWD: name } = process.env;
  if (name === undefined || !isAbsolute(name)) return undefined;
  return isSame(name, ".") ? name : undefined;
}

/** Whether two paths lead to one file or directory. */
function isSame(one: string, other: string): boolean {
  try {
    const [a, b] = [statSync(one), statSync(other)];
    return a.dev === b.dev && a.ino === b.ino;
  } catch {
    return false;
  }
}

/**
 * The path with which a program is started again: the one it was started with, by its name, if that still is the
 * program.
 *
 * @param given The path it was started with.
 * @param path The path of the program.
 */
export function programName(given: string | undefined, path: string): string {
  return nameOf(given !== undefined && isSame(given, path) ? given : path);
}
