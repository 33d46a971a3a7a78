/**
 * The option `tls`: checks it, and fills in its defaults. The files that it names are read by the host.
 *
 * @module
 */

import { OptionError } from "../errors.ts";
import type { TlsIdentity, TlsSettings } from "../seams.ts";
import type { TlsOptions } from "./serve_options.ts";

/** What a wire of HTTP can speak, by its names in ALPN. */
const PROTOCOLS: readonly string[] = ["http/1.1", "http/1.0"];
const MODES: readonly string[] = ["none", "optional", "required"];
const VERSIONS: readonly string[] = ["TLSv1.2", "TLSv1.3"];
const IDENTITY: readonly string[] = ["cert", "key", "passphrase"];
const ALL: readonly string[] = [...IDENTITY, "sni", "ca", "certReqs", "minVersion", "ciphers"];

/**
 * The settings of TLS.
 *
 * @param name The name of the option, for messages: `"listen[1].tls"`.
 * @throws {OptionError} naming the member that is wrong. The message never has a passphrase in it.
 *
 * @example
 * ```ts
 * import { tlsSettings } from "./tls_options.ts";
 * const settings = tlsSettings({ cert: "/etc/tls/site.pem" }, "tls");
 * console.assert(settings.identities[0]?.key === "/etc/tls/site.pem" && settings.minVersion === "TLSv1.2");
 * ```
 */
export function tlsSettings(options: TlsOptions, name: string): TlsSettings {
  checkNames(options, ALL, name);
  const { sni = [], ca, certReqs = "none", minVersion = "TLSv1.2", ciphers } = options;
  const own = identityOf(options, name);
  expect(Array.isArray(sni), `${name}.sni`, "an array of { cert, key }", sni);
  const others = sni.map((one, i) => {
    checkNames(one, IDENTITY, `${name}.sni[${i}]`);
    return identityOf(one, `${name}.sni[${i}]`);
  });
  expect(ca === undefined || isText(ca), `${name}.ca`, PEM_OR_PATH, ca);
  expect(MODES.includes(certReqs), `${name}.certReqs`, `one of ${MODES.join(", ")}`, certReqs);
  expect(VERSIONS.includes(minVersion), `${name}.minVersion`, `one of ${VERSIONS.join(", ")}`, minVersion);
  expect(ciphers === undefined || isCipherList(ciphers), `${name}.ciphers`, CIPHERS, ciphers);
  expect(
    ciphers === undefined || minVersion === "TLSv1.2",
    `${name}.ciphers`,
    `the option ${name}.minVersion TLSv1.2: the ciphers of TLS 1.3 are the runtime's`,
    ciphers,
  );
  expect(
    certReqs === "none" || ca !== undefined,
    `${name}.certReqs`,
    `none, or the option ${name}.ca beside it: it says which certificates of clients are good`,
    certReqs,
  );
  expect(
    ca === undefined || certReqs !== "none",
    `${name}.ca`,
    `the option ${name}.certReqs beside it: otherwise no client is asked for a certificate`,
    ca,
  );
  return { identities: [own, ...others], ca, certReqs, minVersion, ciphers, protocols: PROTOCOLS };
}

const CIPHERS =
  "a list of ciphers of TLS 1.2 in OpenSSL's form, ECDHE+AESGCM:ECDHE+CHACHA20; those of TLS 1.3 (TLS_...) " +
  "are the runtime's";

/** Whether a value has the form of a cipher list. Only the runtime knows the names in it. */
function isCipherList(value: unknown): boolean {
  return typeof value === "string" && /^[A-Za-z0-9+!@=:_.-]+$/.test(value) && !/TLS_/i.test(value);
}

const PEM_OR_PATH = "the path of a file in PEM form, or its text";

function identityOf({ cert, key = cert, passphrase }: Partial<TlsIdentity>, name: string): TlsIdentity {
  expect(isText(cert), `${name}.cert`, PEM_OR_PATH, cert);
  expect(isText(key), `${name}.key`, PEM_OR_PATH, typeof key === "string" ? "" : key);
  const isGood = passphrase === undefined || typeof passphrase === "string";
  expect(isGood, `${name}.passphrase`, "text", passphrase);
  return { cert: cert as string, key: key as string, passphrase };
}

function checkNames(given: unknown, names: readonly string[], at: string): void {
  expect(typeof given === "object" && given !== null && !Array.isArray(given), at, "an object: { cert, key }", given);
  for (const name of Object.keys(given as object)) {
    expect(names.includes(name), `${at}.${name}`, `one of ${names.join(", ")}`, name);
  }
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value !== "" && !value.includes("\0");
}

function expect(holds: boolean, name: string, expected: string, given: unknown): void {
  if (!holds) throw new OptionError(name, expected, given);
}
