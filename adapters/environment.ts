/**
 * What a process can tell of itself: its environment variables, as far as permissions allow, and the version of its
 * runtime.
 *
 * Every host that serves loads this module, so a runtime that is too old is refused here, in one line that says so.
 * Without this, the first thing that is missing there would be reported, by a trace that names neither tsgi nor the
 * version.
 *
 * @module
 */

/** The globals that tell the version. */
interface VersionGlobals {
  readonly Bun?: { readonly version?: string };
  readonly Deno?: { readonly version?: { readonly deno: string } };
  readonly process?: { readonly versions?: Readonly<Record<string, string | undefined>> };
}

/** The oldest versions; `engines` in package.json has the same of Node. */
export const OLDEST = { Node: "22.22", Deno: "2.0", Bun: "1.2" } as const;

/**
 * The message for a runtime that is too old; undefined if it is not.
 *
 * @example
 * ```ts
 * import { tooOld } from "./environment.ts";
 * const message = tooOld({ process: { versions: { node: "20.20.2" } } });
 * console.assert(message === "tsgi needs Node 22.22 or later; this is Node 20.20.2");
 * console.assert(tooOld() === undefined);
 * ```
 */
export function tooOld(globals: VersionGlobals = globalThis as VersionGlobals): string | undefined {
  const { Bun, Deno } = globals;
  // Bun and Deno pretend to be a version of Node, too. There, access to `process` takes time.
  const [name, version] = Deno !== undefined
    ? ["Deno", Deno.version?.deno] as const
    : Bun !== undefined
    ? ["Bun", Bun.version] as const
    : ["Node", globals.process?.versions?.node] as const;
  if (version === undefined) return undefined; // another host
  const oldest = OLDEST[name];
  const newer = parseInt(version) - parseInt(oldest); // of the major versions
  if (newer > 0 || (newer === 0 && minorOf(version) >= minorOf(oldest))) return undefined;
  return `tsgi needs ${name} ${oldest} or later; this is ${name} ${version}`;
}

function minorOf(version: string): number {
  return Number(version.split(".")[1]);
}

/** The runtime is too old. The message has been printed. */
export class OldRuntimeError extends Error {
  /** Name of the class. */
  override readonly name = "OldRuntimeError";
}

/**
 * Prints the message for a runtime that is too old, and throws. It is printed here because the report of an uncaught error
 * begins with source code.
 *
 * @throws {OldRuntimeError} on such a runtime.
 */
function refuseOldRuntime(): void {
  const message = tooOld();
  if (message === undefined) return;
  console.error(message);
  throw new OldRuntimeError(message);
}

refuseOldRuntime();

/** The globals that hold the environment. A runtime has one or both. */
interface Globals {
  readonly Deno?: {
    readonly env: { get(name: string): string | undefined };
    readonly permissions: { querySync(descriptor: { name: "env"; variable: string }): { state: string } };
  };
  readonly process?: { readonly env: Readonly<Record<string, string | undefined>> };
}

const globals = globalThis as unknown as Globals;

/** Returns an environment variable; undefined when it is not set, may not be read, or is not valid text. */
export function env(name: string): string | undefined {
  const { Deno } = globals;
  if (Deno === undefined) return globals.process?.env[name]; // on Deno, access to `process` loads all of Node
  // Without the permission, Deno would stop the program at a prompt. So the permission is checked first.
  if (Deno.permissions.querySync({ name: "env", variable: name }).state !== "granted") return undefined;
  try {
    return Deno.env.get(name);
  } catch {
    return undefined; // not UTF-8
  }
}

/** Whether this process is a CGI script that a web server has started for a request (RFC 3875 4.1.4). */
export function isCgi(): boolean {
  return env("GATEWAY_INTERFACE")?.startsWith("CGI/") === true && (env("REQUEST_METHOD") ?? "") !== "";
}
