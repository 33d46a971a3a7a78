/**
 * The named errors of the public API that do not concern a single request.
 *
 * Errors that concern a request are defined beside the code that throws them: `core/contract/input_stream.ts` (reading),
 * `core/contract/response_head.ts` (startResponse), `core/gateway/invocation.ts` (write, bodies).
 *
 * @module
 */

import type { Place } from "./seams.ts";

/** `serve` rejects with this error when it cannot listen: the address is in use, not local, not permitted or not valid. */
export class ListenError extends Error {
  /** Name of the class. */
  override readonly name = "ListenError";
  /** The system's short name of the failure where it gave one: `"EADDRINUSE"`. */
  readonly code: string;

  /** Says what could not be listened on and why. */
  constructor(where: string, reason: string, code: string, options?: ErrorOptions) {
    super(`Cannot listen on ${where}: ${reason}`, options);
    this.code = code;
  }
}

/** The error for a listen that failed with the system's code `code`, `""` where there is none. */
export function listenError(at: Place, code: string, cause: unknown): ListenError {
  if (at.transport === "fd" && code === "EINVAL") code = "ENOTSOCK";
  const reason = Object.hasOwn(LISTEN_REASONS, code) ? LISTEN_REASONS[code] : (cause as Error).message;
  return new ListenError(describePlace(at), reason as string, code, { cause });
}

/** A place that a server should listen at, as text for messages. */
export function describePlace(at: Place): string {
  switch (at.transport) {
    case "fd":
      return `file descriptor ${at.fd}`;
    case "unix":
      return `unix:${at.path}`;
    case "tcp":
      return `${at.hostname}:${at.port}`;
  }
}

/** A certificate or a key cannot be used: its file cannot be read, is malformed, or does not belong to the other one. */
export class TlsError extends Error {
  /** Name of the class. */
  override readonly name = "TlsError";
  /** The file, or the option whose text it is. */
  readonly source: string;

  /** Says which file and what is wrong with it. */
  constructor(source: string, problem: string, options?: ErrorOptions) {
    super(`TLS: ${source}: ${problem}`, options);
    this.source = source;
  }
}

const LISTEN_REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the address is already in use; choose another one, or stop the program that listens there",
  EADDRNOTAVAIL: "the address does not belong to this machine; 127.0.0.1 is for this machine only, 0.0.0.0 for all",
  EACCES: "permission denied",
  EPERM: "permission denied",
  ENOTFOUND: "the host name cannot be resolved",
  EAI_AGAIN: "the host name cannot be resolved",
  EINVAL: "the address is not valid",
  EBADF: "it is not open",
  ENOTSOCK: "it is not a socket",
  ENOENT: "its directory does not exist",
  ENOTDIR: "a part of its path is not a directory",
  ELOOP: "its path has a circle of symbolic links",
  EROFS: "the file system is read-only",
  ENOSPC: "the file system is full",
  EDQUOT: "the quota of the file system is used up",
};

/** An option has an invalid value, or the name is not that of an option. */
export class OptionError extends Error {
  /** Name of the class. */
  override readonly name = "OptionError";
  /** Name of the option. */
  readonly option: string;

  /** Says which option, what was expected and what was given; or, with two arguments, which option and what is wrong. */
  constructor(option: string, ...what: [expected: string, given: unknown] | [reason: string]) {
    super(`Option ${option}: ${what.length === 1 ? what[0] : `expected ${what[0]}, got ${describe(what[1])}`}`);
    this.option = option;
  }
}

const MOST_CHANGES = 3; // in a long name; fewer in a short one

/**
 * The name of which `given` may be a misspelling: the one that differs from it by the fewest letters. Undefined if none
 * is near.
 *
 * @example
 * ```ts
 * import { nearest } from "./errors.ts";
 * console.assert(nearest("prot", ["port", "path"]) === "port" && nearest("colour", ["port"]) === undefined);
 * ```
 */
export function nearest(given: string, names: readonly string[]): string | undefined {
  let found: string | undefined;
  let least = Math.min(MOST_CHANGES, Math.max(2, Math.floor(given.length / 3))) + 1;
  for (const name of names) {
    const changes = changesBetween(given.toLowerCase(), name.toLowerCase());
    if (changes >= least || changes >= name.length) continue;
    least = changes;
    found = name;
  }
  return found;
}

/** The Levenshtein distance: the number of letters to insert, delete or replace to get from one word to another. */
function changesBetween(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] as number) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}

/**
 * A short, safe rendering of any value for a message: `string "abc"`, `an array`, `null`.
 *
 * @example
 * ```ts
 * import { describe } from "./errors.ts";
 * console.assert(describe("abc") === 'string "abc"' && describe([1]) === "an array" && describe(null) === "null");
 * ```
 */
export function describe(value: unknown): string {
  try {
    return describeValue(value);
  } catch {
    return "a value that cannot be looked at";
  }
}

function describeValue(value: unknown): string {
  switch (typeof value) {
    case "string":
      return `string ${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}...` : value)}`;
    case "number":
    case "bigint":
    case "boolean":
      return `${typeof value} ${value}`;
    case "function":
      return "a function";
    case "object":
      if (value === null) return "null";
      return Array.isArray(value) ? "an array" : `an object (${value.constructor?.name ?? "no class"})`;
    default:
      return typeof value;
  }
}

/**
 * Whether a value is an object without a class, as options are. Objects of another realm are too: their prototype has no
 * prototype either.
 *
 * @example
 * ```ts
 * import { isPlainObject } from "./errors.ts";
 * console.assert(isPlainObject({}) && isPlainObject(Object.create(null)) && !isPlainObject([]));
 * ```
 */
export function isPlainObject(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The errors that report a mistake of the program. How this library has found it says nothing to the program's author. */
const MISTAKES: ReadonlySet<string> = new Set([
  "ApplicationError",
  "ListenError",
  "OptionError",
  "OverlappingReadError",
  "ProgramError",
  "RequestError",
  "StartResponseError",
  "WriteError",
]);

/** The modules of this library, below its folder. In a checkout, examples and tests are beside them. */
const OWN_MODULE = /^(?:src\/)?(?:core|adapters|bridges|cli|internal|testing|wsgiref|mod(?:_\w+)?\.[jt]s\b)/;

/**
 * The frames of an error's stack, beginning with the first one of the program. Empty if the program has none, which is
 * the case when the mistake was found after the application has returned.
 */
function programFrames({ stack = "" }: Error): string[] {
  const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
  const first = frames.findIndex(isProgramFrame);
  return first < 0 ? [] : frames.slice(first);
}

/**
 * Whether a line of a stack is a call in a file of the program: not in this library, and not in the runtime.
 *
 * @example
 * ```ts
 * import { isProgramFrame } from "./errors.ts";
 * console.assert(isProgramFrame("    at app (file:///site/app.ts:4:25)"));
 * console.assert(!isProgramFrame("    at emit (node:events:508:28)"));
 * ```
 */
export function isProgramFrame(frame: string): boolean {
  const isFile = /[\\/][^:()]+:\d+:\d+\)?$/.test(frame);
  const isRuntime = /[\s(]\w+:\w+\//.test(frame); // "(scheme:name/of/module"
  return isFile && !isRuntime && !ownRoots().some((root) => {
    const at = frame.indexOf(root);
    return at >= 0 && OWN_MODULE.test(frame.slice(at + root.length));
  });
}

/** The folder of this library, as runtimes name it in frames; none where a bundler has left out the address of a module. */
function ownRoots(): string[] {
  try {
    const { href, pathname } = new URL("../", import.meta.url);
    return [href, decodeURIComponent(pathname)];
  } catch {
    return [];
  }
}

/**
 * Calls the code of a public function. An error of it that is a mistake of the program points at the call of that
 * function: runtimes print the source at the first frame of an uncaught error, and that would be a part of this library.
 *
 * @param run The code. It is called while the caller of the public function is on the stack.
 */
export async function pointingAtCall<T>(run: () => Promise<T>): Promise<T> {
  const call = new Error();
  try {
    return await run();
  } catch (error) {
    pointAtCall(error, call);
    throw error;
  }
}

/** Makes an error point at the program: its stack becomes that of `call`. Other errors than mistakes stay as they are. */
export function pointAtCall(error: unknown, call: Error): void {
  if (!(error instanceof Error) || !MISTAKES.has(error.name)) return;
  const frames = programFrames(call);
  if (frames.length === 0) return;
  const [, sourceURL, line, column] = /([^\s(]+):(\d+):(\d+)\)?$/.exec(frames[0] as string) ?? [];
  for (const one of [error, error.cause]) {
    if (!(one instanceof Error)) continue;
    one.stack = [`${one.name}: ${one.message}`, ...frames].join("\n");
    // JavaScriptCore has the place in properties of its own, and a runtime prints the source there.
    if ("sourceURL" in one) Object.assign(one, { sourceURL, line: Number(line), column: Number(column) });
  }
}

const MOST_CAUSES = 8; // errors can be each other's cause

/**
 * The text to log for any thrown value. For an Error it is the stack with those of its causes. Never throws.
 *
 * @example
 * ```ts
 * import { errorText } from "./errors.ts";
 * console.assert(errorText(new Error("a", { cause: new Error("b") })).includes("Caused by: Error: b"));
 * console.assert(errorText(7) === "Thrown value that is no Error: number 7");
 * ```
 */
export function errorText(error: unknown): string {
  try {
    return describeError(error, MOST_CAUSES);
  } catch {
    return "Thrown value that cannot be described";
  }
}

function describeError(error: unknown, causes: number): string {
  if (!(error instanceof Error)) return `Thrown value that is no Error: ${describe(error)}`;
  const title = `${error.name}: ${error.message}`;
  const stack = MISTAKES.has(error.name) ? [title, ...programFrames(error)].join("\n") : error.stack ?? title;
  const text = stack.includes(error.message) ? stack : `${title}\n${stack}`;
  if (error.cause === undefined) return text;
  return `${text}\nCaused by: ${causes === 0 ? "..." : describeError(error.cause, causes - 1)}`;
}
