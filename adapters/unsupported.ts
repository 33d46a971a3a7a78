/**
 * What a runtime cannot do: refused here, since it would silently do something else, or end the process.
 *
 * @module
 */

import { describeAddress, ListenError } from "../core/errors.ts";
import type { ListenOptions } from "../core/seams.ts";

/** Bun has a backlog of 512 and ignores what it is told. */
export function refuseOnBun(options: ListenOptions): void {
  if (options.backlog !== undefined) throw refusal(options, "Bun takes no backlog, its own is 512");
}

/** `Deno.listen` ignores a descriptor and takes any port; for reusePort without a flag it ends the process. */
export function refuseOnDeno(options: ListenOptions): void {
  const instead = "serve with tsgi/node, which can, under Deno too";
  if (options.fd !== undefined) throw refusal(options, `Deno.listen takes no file descriptor; ${instead}`);
  if (options.reusePort) throw refusal(options, `Deno.listen has no stable reusePort; ${instead}`);
}

function refusal(options: ListenOptions, reason: string): ListenError {
  return new ListenError(describeAddress(options), reason, "ENOTSUP");
}
