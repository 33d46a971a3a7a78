/**
 * Inputs to begin with: what nginx, Apache and HAProxy really sent, and the cases of the wire suite.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { bytesOf } from "./target.ts";

/** The captures whose names match. */
export function captures(name: RegExp): Uint8Array[] {
  const folder = new URL("../captures/", import.meta.url);
  const names = readdirSync(folder).filter((one) => name.test(one)).sort();
  return names.map((one) => new Uint8Array(readFileSync(new URL(one, folder))));
}

/** The requests of the wire suite. */
export function wireCases(): Uint8Array[] {
  return ["http1", "extended"].flatMap((file) => {
    const lines = readFileSync(new URL(`../wire/${file}.jsonl`, import.meta.url), "utf8").split("\n");
    return lines.filter((line) => line !== "").flatMap((line) => {
      const { raw } = JSON.parse(line) as { raw?: unknown };
      return typeof raw === "string" && raw !== "" ? [bytesOf(raw)] : [];
    });
  });
}
