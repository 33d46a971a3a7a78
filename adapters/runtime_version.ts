/**
 * Refuses a runtime that is too old, in one line that says so. Without this, the first thing that is missing there would
 * be reported, by a trace that names neither tsgi nor the version.
 *
 * @module
 */

/** The globals that tell the version. */
interface Globals {
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
 * import { tooOld } from "./runtime_version.ts";
 * const message = tooOld({ process: { versions: { node: "20.20.2" } } });
 * console.assert(message === "tsgi needs Node 22.22 or later; this is Node 20.20.2");
 * console.assert(tooOld() === undefined);
 * ```
 */
export function tooOld(globals: Globals = globalThis as Globals): string | undefined {
  const { Deno } = globals;
  // On Deno, access to `process` loads all of Node. Bun and Deno pretend to be a version of Node, too.
  const versions = Deno === undefined ? globals.process?.versions : undefined;
  const [name, version] = Deno !== undefined
    ? ["Deno", Deno.version?.deno] as const
    : versions?.bun !== undefined
    ? ["Bun", versions.bun] as const
    : ["Node", versions?.node] as const;
  if (version === undefined) return undefined; // another host
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [leastMajor = 0, leastMinor = 0] = OLDEST[name].split(".").map(Number);
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return undefined;
  return `tsgi needs ${name} ${OLDEST[name]} or later; this is ${name} ${version}`;
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
export function refuseOldRuntime(): void {
  const message = tooOld();
  if (message === undefined) return;
  console.error(message);
  throw new OldRuntimeError(message);
}
