/**
 * What comes before a Python process is known: the path of its program, and the first frame of its connections.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Reads the first frame of a connection. It says of which process the connection is, and what it is for. `taken` returns
 * what reads the rest; undefined closes the connection. The connection does not keep tsgi's process alive.
 */
export function introduce(
  socket: Socket,
  taken: (kind: number, id: string) => ((bytes: Buffer) => void) | undefined,
): void {
  let first = Buffer.alloc(0);
  let receive: ((bytes: Buffer) => void) | undefined;
  socket.unref();
  socket.on("error", () => {});
  socket.on("data", (bytes: Buffer) => {
    if (receive !== undefined) return receive(bytes);
    if (socket.destroyed) return;
    first = Buffer.concat([first, bytes]);
    const end = first.length < 5 ? Infinity : 5 + first.readUInt32BE(1);
    if (first.length < end) return;
    receive = taken(first[0] as number, first.toString("latin1", 5, end));
    if (receive === undefined) return void socket.destroy();
    const rest = first.subarray(end);
    first = Buffer.alloc(0);
    if (rest.length > 0) receive(rest);
  });
}

/** The path of the Python file. If it is not a file here, as on Deno with a package from the network, it is copied. */
export async function scriptFile(script: URL, folder: string): Promise<string> {
  if (script.protocol === "file:") return fileURLToPath(script);
  const response = await fetch(script);
  if (!response.ok) throw new Error(`${script.href}: ${response.status}`);
  const path = join(folder, "child.py");
  writeFileSync(path, await response.text());
  return path;
}
