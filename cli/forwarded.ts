/**
 * Checks the settings of trusted proxies before anything starts with them.
 *
 * @module
 */

import type { Settings } from "./settings/mod.ts";
import { SettingError } from "./settings/setting.ts";

/** The settings that count here. */
export type ForwardedFrom = Pick<Settings, "forwardedAllowIps" | "forwardedHeaders" | "protocol" | "headerMap">;

/**
 * Refuses what `serve` would refuse in a worker.
 *
 * @throws {SettingError} naming the setting that does not fit the others.
 */
export function checkForwarded(settings: ForwardedFrom): void {
  const { forwardedAllowIps, forwardedHeaders, protocol, headerMap } = settings;
  if (forwardedAllowIps === null) {
    if (forwardedHeaders === null) return;
    throw new SettingError("--forwarded-headers", "--forwarded-allow-ips beside it", forwardedHeaders.join());
  }
  if (protocol !== "http") {
    const expected = "--protocol http: in other protocols the web server states the client in variables";
    throw new SettingError("--forwarded-allow-ips", expected, protocol);
  }
  if (headerMap === "dangerous") {
    const expected = "drop or refuse beside --forwarded-allow-ips: a client could send X_Forwarded_For past the proxy";
    throw new SettingError("--header-map", expected, headerMap);
  }
}
