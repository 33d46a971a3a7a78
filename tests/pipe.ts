/**
 * A real pipe from a process to the test that starts it, which the test may leave unread. The pipes of `spawn` are sockets.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { constants, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A pipe. The test closes both ends. */
export interface Pipe {
  readonly reader: number;
  readonly writer: number;
  /** Reads what the pipe contains now. */
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
