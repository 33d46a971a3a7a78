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
  EADDRINUSE: "the address is already in use",
  EADDRNOTAVAIL: "the address does not belong to this machine",
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

  /** Says which option, what was expected and what was given. */
  constructor(option: string, expected: string, given: unknown) {
    super(`Option ${option}: expected ${expected}, got ${describe(given)}`);
    this.option = option;
  }
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
  const stack = error.stack ?? title;
  const text = stack.includes(error.message) ? stack : `${title}\n${stack}`;
  if (error.cause === undefined) return text;
  return `${text}\nCaused by: ${causes === 0 ? "..." : describeError(error.cause, causes - 1)}`;
}
