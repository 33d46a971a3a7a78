/**
 * The pidfile: contains the id of the process to which signals are sent.
 *
 * Its directory may be writable by other users while the command runs as root. So the file is created under a temporary
 * name and then renamed, and a file that is not a pidfile is never replaced.
 *
 * @module
 */

import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { identityAt, placeFile, temporaryName } from "../adapters/placed_file.ts";
import { ownedBy } from "./other_process.ts";

/** The pidfile cannot be written, or another process has it. */
export class PidfileError extends Error {
  /** Name of the class. */
  override readonly name = "PidfileError";

  /** Says which file, and why. */
  constructor(path: string, reason: string, options?: ErrorOptions) {
    super(`Pidfile ${path}: ${reason}`, options);
  }
}

const MOST_BYTES = 32; // of a pidfile

/** A file with a process id. */
export class Pidfile {
  readonly #given: string;
  readonly #path: string;
  readonly #before: string | undefined; // the identity of the file to replace
  #text = "";
  #remove: () => void = () => {};

  /**
   * Checks that the file is free: it does not exist, or the tsgi that wrote it has ended. The process id in a stale
   * file may belong to another process by now, especially in a container, where process ids start again from 1.
   *
   * @throws {PidfileError} when that tsgi runs, or the path is not a pidfile.
   */
  constructor(path: string) {
    this.#given = path;
    this.#path = resolve(path); // the working directory may change before remove()
    try {
      this.#before = identityAt(this.#path);
      if (this.#before === undefined) return;
      const { text, written } = this.#read();
      if (!/^\s*[0-9]*\s*$/.test(text)) throw this.#error("there is a file that is no pidfile");
      const other = Number(text);
      if (other > 0 && other !== process.pid && ownedBy(other, written)) {
        throw this.#error(`process ${other} runs already`);
      }
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /**
   * Writes the file atomically.
   *
   * @throws {PidfileError} when it cannot be written.
   */
  create(pid: number): void {
    try {
      const temporary = temporaryName(this.#path);
      this.#text = `${pid}\n`;
      writeFileSync(temporary, this.#text, { flag: "wx", mode: 0o644 });
      const remove = placeFile(temporary, this.#path, this.#before);
      if (remove === undefined) throw this.#error("another process has just written it");
      this.#remove = remove;
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** Removes the file if this process still owns it. */
  remove(): void {
    try {
      if (this.#read().text === this.#text) this.#remove();
    } catch {
      // The file is gone already, or something else is at its path.
    }
  }

  /** The content of the file, and when it was written (ms). */
  #read(): { text: string; written: number } {
    const stat = lstatSync(this.#path);
    if (stat.isSymbolicLink()) throw this.#error("there is a symbolic link");
    if (!stat.isFile()) throw this.#error("there is something that is not a file");
    // The path may have become a link or a pipe since.
    const fd = openSync(this.#path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { size, mtimeMs } = fstatSync(fd);
      if (size > MOST_BYTES) throw this.#error("there is a file that is no pidfile");
      return { text: readFileSync(fd, "utf8"), written: mtimeMs };
    } finally {
      closeSync(fd);
    }
  }

  #error(reason: string, options?: ErrorOptions): PidfileError {
    return new PidfileError(this.#given, reason, options);
  }

  #failure(error: unknown): PidfileError {
    if (error instanceof PidfileError) return error;
    const { code, message } = error as NodeJS.ErrnoException;
    return this.#error(code === "ENOENT" ? "its directory does not exist" : message, { cause: error });
  }
}
