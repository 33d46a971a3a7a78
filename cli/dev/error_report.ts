/**
 * Finds out what a developer wants to know of an error: its causes, and the lines of source that its stack names.
 *
 * The stack is text, in the form that V8 and Bun share. It begins with the message, which may have text of a client in
 * it, and lines that look like calls: these are no frames. Where a file was compiled and has a source map, the report
 * shows the original. A file that cannot be read leaves a frame without source. No error here hides the one that is
 * reported: what cannot be read of it is left out.
 *
 * @module
 */

import { existsSync, readFileSync, statSync } from "node:fs";
import { SourceMap } from "node:module";
import { dirname, relative, resolve, sep } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, isProgramFrame } from "../../core/errors.ts";

/** Lines of a source file around the one that was executed. */
export interface Excerpt {
  /** Number of the first of them. */
  readonly first: number;
  readonly lines: readonly string[];
}

/** One call of a stack. */
export interface Frame {
  /** The function, or "" at the top level of a module. */
  readonly call: string;
  /** Path of the file, relative to the working directory if it is below; the URL of a module that is no file. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Whether it is the program's own code: not that of a package, of tsgi or of the runtime. */
  readonly own: boolean;
  /** Undefined if the file cannot be read. */
  readonly source: Excerpt | undefined;
}

/** An error, or the cause of one. */
export interface ReportedError {
  /** Name of its class. */
  readonly name: string;
  readonly message: string;
  readonly frames: readonly Frame[];
}

const AROUND = 5; // lines before and after the one that was executed
const MOST_CAUSES = 8;
const MOST_FRAMES = 50;
const LONGEST_LINE = 2048; // of a stack; what is longer is no call
const MOST_BYTES = 8 * 1024 * 1024; // of a source file or a source map

/** Matches a call with a function, `at f (file:1:2)`, or without one, `at file:1:2`. */
const FRAME = /^\s*at (?:(.+?) \((.+?):(\d+):(\d+)\)|(?:async )?(.+?):(\d+):(\d+))$/;

/**
 * The error and its causes, the error first.
 *
 * @example
 * ```ts
 * import { reportOf } from "./error_report.ts";
 * const [error, cause] = reportOf(new Error("no name", { cause: new TypeError("none") }));
 * console.assert(error?.message === "no name" && cause?.name === "TypeError");
 * console.assert(error?.frames[0]?.source?.lines.some((line) => line.includes("no name")));
 * ```
 */
export function reportOf(error: unknown): ReportedError[] {
  const chain: ReportedError[] = [];
  const seen = new Set<unknown>();
  for (let at = error; chain.length < MOST_CAUSES && at !== undefined && at !== null && !seen.has(at);) {
    seen.add(at);
    chain.push(reported(at));
    at = isError(at) ? read(at, "cause") : undefined;
  }
  return chain.length > 0 ? chain : [reported(error)];
}

function reported(error: unknown): ReportedError {
  if (!isError(error)) return { name: "Thrown value that is no Error", message: describe(error), frames: [] };
  const [name, message] = [textOf(read(error, "name")), textOf(read(error, "message"))];
  return { name, message, frames: callsOf(read(error, "stack"), message).flatMap(frameOf).slice(0, MOST_FRAMES) };
}

function isError(value: unknown): value is Error {
  try {
    return value instanceof Error;
  } catch {
    return false; // a revoked proxy
  }
}

/** A property of an error; undefined if its getter throws. */
function read(error: Error, key: "name" | "message" | "stack" | "cause"): unknown {
  try {
    return error[key];
  } catch {
    return undefined;
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : describe(value);
}

/** The lines of a stack behind its message. If the message was changed since, the last lines that are calls. */
function callsOf(stack: unknown, message: string): string[] {
  if (typeof stack !== "string") return [];
  const at = stack.indexOf(message);
  const lines = (at < 0 ? stack : stack.slice(at + message.length)).split("\n");
  const isCall = (line: string): boolean => line.length <= LONGEST_LINE && FRAME.test(line);
  return at < 0 ? lines.slice(lines.findLastIndex((line) => line !== "" && !isCall(line)) + 1) : lines.filter(isCall);
}

/** The frame of a line; an empty list if there is none. */
function frameOf(line: string): Frame[] {
  try {
    const frame = parseFrame(line);
    return frame === undefined ? [] : [frame];
  } catch {
    return []; // a URL that names no file
  }
}

function parseFrame(line: string): Frame | undefined {
  const match = FRAME.exec(line);
  if (match === null) return undefined;
  const [, call = "", ...place] = match;
  const [location, row, column] = (match[2] === undefined ? place.slice(3) : place) as [string, string, string];
  const url = location.replace(/\?[\d.]+$/, ""); // the query with which a module is imported anew
  const path = url.startsWith("file:") ? fileURLToPath(url) : url;
  const found = originalOf({ path, line: Number(row), column: Number(column) });
  return {
    call: call.replace(/^(?:async|new) /, ""),
    file: shortened(found.path),
    line: found.line,
    column: found.column,
    own: isProgramFrame(line) && !found.path.split(sep).includes("node_modules"),
    source: excerptOf(found.text ?? contentOf(found.path), found.line),
  };
}

/** A place in a file. */
interface Place {
  readonly path: string;
  readonly line: number;
  readonly column: number;
  /** Text of the file, where a source map has it. */
  readonly text?: string | undefined;
}

/** The place in the file that a file was compiled from; the same place if it was not compiled, or has no source map. */
function originalOf(place: Place): Place {
  try {
    const [, reference] = /\n\/\/# sourceMappingURL=(\S+)\s*$/.exec(contentOf(place.path) ?? "") ?? [];
    if (reference === undefined) return place;
    const inline = /^data:application\/json[^,]*;base64,(.*)$/.exec(reference);
    const mapPath = resolve(dirname(place.path), inline === null ? decodeURIComponent(reference) : "inline");
    const text = inline === null ? contentOf(mapPath) as string : atob(inline[1] as string);
    const payload = JSON.parse(text) as ConstructorParameters<typeof SourceMap>[0];
    const entry = new SourceMap(payload).findEntry(place.line - 1, place.column - 1);
    if (!("originalSource" in entry)) return place;
    const { originalSource, originalLine, originalColumn } = entry;
    const root = resolve(dirname(mapPath), payload.sourceRoot ?? "");
    const path = originalSource.startsWith("file:") ? fileURLToPath(originalSource) : resolve(root, originalSource);
    const kept = payload.sourcesContent?.[payload.sources.indexOf(originalSource)];
    return { path, line: originalLine + 1, column: originalColumn + 1, text: existsSync(path) ? undefined : kept };
  } catch {
    return place;
  }
}

/** The content of a file; undefined if it is no regular file, or a very long one. */
function contentOf(path: string): string | undefined {
  try {
    const stats = statSync(path);
    return stats.isFile() && stats.size <= MOST_BYTES ? readFileSync(path, "utf8") : undefined;
  } catch {
    return undefined;
  }
}

function excerptOf(text: string | undefined, line: number): Excerpt | undefined {
  if (text === undefined) return undefined;
  const lines = text.split(/\r?\n/);
  if (line > lines.length) return undefined;
  const first = Math.max(1, line - AROUND);
  return { first, lines: lines.slice(first - 1, line + AROUND) };
}

function shortened(path: string): string {
  const below = relative(process.cwd(), path);
  return !path.startsWith(sep) || below.startsWith("..") ? path : below;
}
