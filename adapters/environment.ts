/**
 * The process environment, as far as it may be read.
 *
 * @module
 */

/** The globals that have it; a runtime has one or both. */
interface Globals {
  readonly Deno?: {
    readonly env: { get(name: string): string | undefined };
    readonly permissions: { querySync(descriptor: { name: "env"; variable: string }): { state: string } };
  };
  readonly process?: { readonly env: Readonly<Record<string, string | undefined>> };
}

const globals = globalThis as unknown as Globals;

/** An environment variable; undefined when it is not set, may not be read, or is no text. */
export function env(name: string): string | undefined {
  const { Deno } = globals;
  if (Deno === undefined) return globals.process?.env[name]; // looking at `process` loads all of Node into Deno
  // Asking Deno for what it has not been allowed would stop at a prompt.
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
