/**
 * Refuses options that a runtime does not support. Otherwise the runtime would ignore them, or end the process.
 *
 * @module
 */

import { describePlace, ListenError } from "../core/errors.ts";
import type { ListenOptions } from "../core/seams.ts";

/** Refuses `backlog`: Bun always uses 512 and ignores the option. */
export function refuseOnBun(options: ListenOptions): void {
  if (options.backlog !== undefined) throw refusal(options, "Bun takes no backlog, its own is 512");
}

/** Refuses `fd`, which `Deno.listen` ignores for any port, and `reusePort`, which ends the process without a flag. */
export function refuseOnDeno(options: ListenOptions): void {
  const instead = "serve with tsgi/node, which can, under Deno too";
  if (options.at.transport === "fd") throw refusal(options, `Deno.listen takes no file descriptor; ${instead}`);
  if (options.reusePort) throw refusal(options, `Deno.listen has no stable reusePort; ${instead}`);
}

function refusal(options: ListenOptions, reason: string): ListenError {
  return new ListenError(describePlace(options.at), reason, "ENOTSUP");
}
