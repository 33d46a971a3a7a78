/**
 * Decides who may see the page of an error, which shows source code and the environ, cookies included.
 *
 * It is shown only to clients on this machine that address it by a local name. The name matters because a web site can
 * give its own name the address 127.0.0.1 (DNS rebinding), and would then read the page in the browser of a developer.
 *
 * A request that a proxy or a tunnel on this machine has relayed is not local, as far as its fields show that. If the
 * proxy is among `forwardedAllowIps`, the client that it states decides.
 *
 * @module
 */

import type { Environ } from "../../core/contract/types.ts";
import { isWithin, LOOPBACK, type Network, parseIps } from "../../core/server/peer_policy.ts";
import { type Bind, bindText } from "../bind.ts";
import type { Settings } from "../settings/mod.ts";
import { SettingError } from "../settings/setting.ts";

/** Fields that a proxy adds. */
const RELAYED = ["HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_VIA"] as const;

const local: readonly Network[] = LOOPBACK.map((one) => parseIps(one) as Network);

/** Whether a client is on this machine, and addresses the server by a name that means this machine. */
export function isLocal(environ: Environ): boolean {
  const { REMOTE_ADDR, HTTP_HOST } = environ;
  const stated = environ["tsgi.peer"] !== undefined; // by a proxy that is trusted
  if (stated ? REMOTE_ADDR === undefined : RELAYED.some((key) => environ[key] !== undefined)) return false;
  const address = String(REMOTE_ADDR ?? "");
  const host = String(HTTP_HOST ?? "").replace(/:[0-9]*$/, "").replace(/^\[(.*)\]$/, "$1").toLowerCase();
  return (address === "" || isLoopback(address)) && (/(?:^|\.)localhost$/.test(host) || isLoopback(host));
}

function isLoopback(address: string): boolean {
  return local.some((network) => isWithin(address, network));
}

/**
 * Refuses addresses at which other machines could see the page of an error.
 *
 * @throws {SettingError} naming the first such address.
 */
export function checkLocal({ bind, debugRemote }: Pick<Settings, "bind" | "debugRemote">): void {
  const open = bind.find((one: Bind) => one.kind === "tcp" && one.host !== "localhost" && !isLoopback(one.host));
  if (open === undefined || debugRemote) return;
  const expected = "an address of this machine alone, because the page of an error shows source code and cookies; " +
    "--debug-remote allows others";
  throw new SettingError("--bind", expected, bindText(open));
}
