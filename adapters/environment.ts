/**
 * Reads the process environment, as far as permissions allow. Every host that serves loads this module, so a runtime that
 * is too old is refused here.
 *
 * @module
 */

import { refuseOldRuntime } from "./runtime_version.ts";

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
