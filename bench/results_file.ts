/**
 * Writes result files with a part for each runtime.
 *
 * Runs take long, so a run may measure only one runtime. The parts of the others are then kept.
 *
 * @module
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Writes the parts of some runtimes into a file, with today's date. */
export function writeByRuntime(
  folder: string,
  name: string,
  parts: readonly (readonly [runtime: string, part: object])[],
): void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  const all: Record<string, unknown> = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {};
  const when = new Date().toISOString().slice(0, 10);
  for (const [runtime, part] of parts) all[runtime] = { when, ...part };
  writeFileSync(path, `${JSON.stringify(all, null, 1)}\n`);
}
