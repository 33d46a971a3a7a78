/**
 * Certificates and keys: reads them, and checks what a runtime would find out only at the first handshake, or never.
 *
 * Deno takes a key that belongs to another certificate, and a wrong passphrase, without an error, and then no handshake
 * succeeds. So each certificate is parsed here, and each key is decrypted and compared with its certificate.
 *
 * @module
 */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createSecureContext } from "node:tls";
import { TlsError } from "../core/errors.ts";
import type { TlsIdentity, TlsSettings } from "../core/seams.ts";

/** A certificate that is ready for use. */
export interface LoadedIdentity {
  /** The certificate and the intermediate ones, in PEM. */
  readonly cert: string;
  /** Its key in PEM, not encrypted. */
  readonly key: string;
  /** The host names that it is valid for, in lower case; with `*.` in front for all names one level below. */
  readonly names: readonly string[];
}

/** All that a listener needs of its files. */
export interface LoadedTls {
  /** In the order of the settings, the default first. */
  readonly identities: readonly LoadedIdentity[];
  /** The certificates of those who sign client certificates. */
  readonly authorities: readonly X509Certificate[];
  /** What is not wrong, but should be known: a certificate that has expired. */
  readonly warnings: readonly string[];
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const KEY = /-----BEGIN ((?:[A-Z]+ )*PRIVATE KEY)-----[\s\S]+?-----END \1-----/;
const ENCRYPTED = /^-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m;

/**
 * Reads and checks everything.
 *
 * @throws {TlsError} (as a rejection) naming the file that cannot be used, and what is wrong with it.
 */
export async function loadTls(settings: TlsSettings): Promise<LoadedTls> {
  checkCiphers(settings.ciphers);
  const warnings: string[] = [];
  const identities: LoadedIdentity[] = [];
  for (const identity of settings.identities) identities.push(await loadIdentity(identity, warnings));
  const authorities = settings.ca === undefined ? [] : await certificatesOf(settings.ca, "ca");
  return { identities, authorities, warnings };
}

/**
 * Checks a list of ciphers. Deno's TLS accepts any list and uses its own ciphers all the same, so a list is refused there.
 *
 * @throws {TlsError} when the runtime has none of the ciphers.
 */
function checkCiphers(ciphers: string | undefined): void {
  if (ciphers === undefined) return;
  if (globalThis.process.versions.deno !== undefined) {
    throw new TlsError("ciphers", "the TLS of Deno takes no list of ciphers; leave the option out, or run Node or Bun");
  }
  try {
    createSecureContext({ ciphers });
  } catch (cause) {
    const problem = `the runtime has no cipher of the list ${JSON.stringify(ciphers)} (${(cause as Error).message})`;
    throw new TlsError("ciphers", problem, { cause });
  }
}

async function loadIdentity({ cert, key, passphrase }: TlsIdentity, warnings: string[]): Promise<LoadedIdentity> {
  const chain = await certificatesOf(cert, "cert");
  const own = chain[0] as X509Certificate;
  const source = sourceOf(key, "key");
  const pem = KEY.exec(await textOf(key, "key"))?.[0];
  if (pem === undefined) throw new TlsError(source, "it has no private key in PEM form (-----BEGIN PRIVATE KEY-----)");
  const secret = keyOf(pem, passphrase, source);
  if (!own.checkPrivateKey(secret)) {
    throw new TlsError(source, `its key does not belong to the certificate in ${sourceOf(cert, "cert")}`);
  }
  if (Date.parse(own.validTo) < Date.now()) {
    warnings.push(`TLS: ${sourceOf(cert, "cert")}: its certificate has expired at ${own.validTo}`);
  }
  return {
    cert: chain.map(String).join(""),
    key: exported(secret, source),
    names: hostNames(own.subjectAltName ?? ""),
  };
}

function keyOf(pem: string, passphrase: string | undefined, source: string): KeyObject {
  const encrypted = ENCRYPTED.test(pem);
  if (encrypted && passphrase === undefined) throw new TlsError(source, "its key is encrypted and needs a passphrase");
  try {
    return createPrivateKey(encrypted ? { key: pem, passphrase } : pem);
  } catch (cause) {
    const why = encrypted
      ? "its key cannot be decrypted: the passphrase is wrong, or the runtime does not know this encryption; " +
        "`openssl pkcs8 -topk8` writes one that each runtime knows"
      : "its key is malformed, or of a kind that the runtime does not know";
    throw new TlsError(source, `${why} (${(cause as Error).message})`, { cause });
  }
}

function exported(secret: KeyObject, source: string): string {
  try {
    return secret.export({ type: "pkcs8", format: "pem" }) as string;
  } catch (cause) { // on Deno a key for RSA-PSS only
    const problem = `its key is of a kind that the runtime does not know (${(cause as Error).message})`;
    throw new TlsError(source, problem, { cause });
  }
}

async function certificatesOf(given: string, option: string): Promise<X509Certificate[]> {
  const source = sourceOf(given, option);
  const found = (await textOf(given, option)).match(CERTIFICATES) ?? [];
  if (found.length === 0) {
    throw new TlsError(source, "it has no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  }
  return found.map((pem, i) => {
    try {
      return new X509Certificate(pem);
    } catch (cause) {
      throw new TlsError(source, `its certificate ${i + 1} is malformed (${(cause as Error).message})`, { cause });
    }
  });
}

/** The host names of a certificate. Those of an own certificate are trusted, so that nothing has to be escaped. */
function hostNames(subjectAltName: string): string[] {
  return subjectAltName.split(", ").filter((one) => one.startsWith("DNS:")).map((one) => one.slice(4).toLowerCase());
}

/** Whether a certificate is valid for a host name (RFC 6125 6.4: `*` stands for one label, the first). */
export function isFor({ names }: LoadedIdentity, host: string): boolean {
  const name = host.toLowerCase();
  const parent = name.slice(name.indexOf(".") + 1);
  return names.some((one) => one === name || (one === `*.${parent}` && parent !== name));
}

/** The state of the files: it is another one after a file has changed. Undefined if there is no file. */
export async function stateOf({ identities, ca }: TlsSettings): Promise<string | undefined> {
  const files = [...identities.flatMap(({ cert, key }) => [cert, key]), ca].filter((one) =>
    one !== undefined && !isPem(one)
  );
  if (files.length === 0) return undefined;
  const states = files.map((file) =>
    stat(file as string).then(
      ({ dev, ino, size, mtimeMs, ctimeMs }) => [dev, ino, size, mtimeMs, ctimeMs].join(" "),
      (error: Error) => error.message,
    )
  );
  return (await Promise.all(states)).join("\n");
}

function isPem(text: string): boolean {
  return text.includes("-----BEGIN ");
}

/** The file, or the option whose text it is: the text may be secret. */
function sourceOf(given: string, option: string): string {
  return isPem(given) ? `the text of the option ${option}` : given;
}

async function textOf(given: string, option: string): Promise<string> {
  if (isPem(given)) return given;
  try {
    return await readFile(given, "utf8");
  } catch (cause) {
    throw new TlsError(sourceOf(given, option), `it cannot be read (${(cause as Error).message})`, { cause });
  }
}
