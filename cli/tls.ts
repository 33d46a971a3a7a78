/**
 * TLS of the command: from its settings the option of `serve`, and a check of the files before anything starts with them.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { tlsSettings } from "../core/server/tls_options.ts";
import type { TlsCertificate, TlsOptions } from "../core/server/serve_options.ts";
import type { Settings } from "./settings/mod.ts";
import { flagOf, SettingError } from "./settings/setting.ts";

/** The settings that count here. */
export type TlsFrom = Pick<
  Settings,
  "certfile" | "keyfile" | "passphraseFile" | "caCerts" | "certReqs" | "sslVersion" | "ciphers" | "protocol"
>;

/**
 * The option `tls`; undefined without a certificate.
 *
 * @throws {SettingError} naming the setting that does not fit the others, or whose file cannot be read.
 */
export function tlsOptions(settings: TlsFrom): TlsOptions | undefined {
  const { certfile, keyfile, caCerts, certReqs, sslVersion, ciphers, protocol } = settings;
  const lone = (["keyfile", "passphraseFile", "caCerts", "ciphers"] as const).find((key) =>
    (settings[key]?.length ?? 0) > 0
  );
  if (certfile.length === 0) {
    if (lone === undefined && certReqs === "none") return undefined;
    throw new SettingError(flagOf(lone ?? "certReqs"), "--certfile beside it", "none");
  }
  const keys = keyfile.length;
  if (keys !== 0 && keys !== certfile.length) {
    throw new SettingError("--keyfile", `a key for each certificate (${certfile.length})`, String(keys));
  }
  if (protocol !== "http") throw new SettingError("--certfile", "--protocol http: web servers speak no TLS", protocol);
  if (certReqs !== "none" && caCerts === null) throw new SettingError("--cert-reqs", "--ca-certs beside it", certReqs);
  if (certReqs === "none" && caCerts !== null) throw new SettingError("--ca-certs", "--cert-reqs beside it", "none");
  const passphrase = passphraseOf(settings);
  const [own, ...sni] = certfile.map((cert, i): TlsCertificate => ({ cert, key: keyfile[i] ?? cert, ...passphrase }));
  return {
    ...own as TlsCertificate,
    sni,
    certReqs,
    minVersion: sslVersion,
    ...(caCerts === null ? {} : { ca: caCerts }),
    ...(ciphers === null ? {} : { ciphers }),
  };
}

/**
 * Reads certificates and keys as a worker will.
 *
 * @throws {SettingError} (as a rejection) for settings that do not fit together.
 * @throws {TlsError} (as a rejection) naming the file that cannot be used.
 */
export async function checkTls(settings: TlsFrom): Promise<void> {
  const wanted = tlsOptions(settings);
  if (wanted === undefined) return;
  const { loadTls } = await import("../adapters/tls_files.ts");
  await loadTls(tlsSettings(wanted, "tls"));
}

function passphraseOf({ passphraseFile }: TlsFrom): { readonly passphrase?: string } {
  if (passphraseFile === null) return {};
  try {
    return { passphrase: readFileSync(passphraseFile, "utf8").split(/\r?\n/, 1)[0] as string };
  } catch (error) {
    throw new SettingError("--passphrase-file", "a file that can be read", (error as Error).message);
  }
}
