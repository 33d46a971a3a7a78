/**
 * A real pipe between a test and a process that it starts, which the test may leave unread: those of `spawn` are sockets.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A pipe; its ends are for the test to close. */
export interface Pipe {
  readonly reader: number;
  readonly writer: number;
  /** Takes what is in it now. */
  read(): string;
}

/** Makes a pipe. */
export function makePipe(): Pipe {
  const folder = mkdtempSync(join(tmpdir(), "tsgi-pipe-"));
  const path = join(folder, "pipe");
  execFileSync("mkfifo", [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, "w");
  rmSync(folder, { recursive: true });
  const memory = Buffer.alloc(65_536);
  const read = (): string => {
    try {
      return memory.toString("latin1", 0, readSync(reader, memory));
    } catch {
      return ""; // it is empty
    }
  };
  return { reader, writer, read };
}
