/**
 * The pidfile: which process takes the signals.
 *
 * @module
 */

import { readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import process from "node:process";

/** The pidfile cannot be written, or another process has it. */
export class PidfileError extends Error {
  /** Name of the class. */
  override readonly name = "PidfileError";

  /** Says which file, and why. */
  constructor(path: string, reason: string) {
    super(`Pidfile ${path}: ${reason}`);
  }
}

/** A file with a process id. */
export class Pidfile {
  readonly #path: string;
  #pid: number | undefined;

  /**
   * Looks whether the file is free.
   *
   * @throws {PidfileError} when a process of the id in it runs.
   */
  constructor(path: string) {
    this.#path = path;
    const other = readPid(path);
    if (other === undefined || other === process.pid) return;
    try {
      process.kill(other, 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EPERM") return; // nobody: it was left behind
    }
    throw new PidfileError(path, `process ${other} runs already`);
  }

  /**
   * Writes the file, in one step.
   *
   * @throws {PidfileError} when it cannot be written.
   */
  create(pid: number): void {
    try {
      writeFileSync(`${this.#path}.${pid}`, `${pid}\n`, { mode: 0o644 });
      renameSync(`${this.#path}.${pid}`, this.#path);
      this.#pid = pid;
    } catch (error) {
      throw new PidfileError(this.#path, (error as Error).message);
    }
  }

  /** Removes the file, if it is still ours. */
  remove(): void {
    if (this.#pid === undefined || readPid(this.#path) !== this.#pid) return;
    try {
      unlinkSync(this.#path);
    } catch {
      // It is gone already, or not ours to remove.
    }
  }
}

function readPid(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, "utf8").trim());
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined;
  }
}
