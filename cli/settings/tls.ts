/**
 * Settings: TLS, by the names that gunicorn has for it.
 *
 * The passphrase of a key is in a file and never on the command line, which every user of the machine can read.
 *
 * @module
 */

import { choice, list, optional, text } from "./kinds.ts";
import type { Kind, Topic } from "./setting.ts";

/** The settings of this topic. */
export interface TlsCommandSettings {
  /** Files of the certificates; without any there is no TLS. */
  certfile: readonly string[];
  /** Files of their keys. */
  keyfile: readonly string[];
  /** File of the passphrase of the keys. */
  passphraseFile: string | null;
  /** File of the certificates of those who sign client certificates. */
  caCerts: string | null;
  /** Whether clients are asked for a certificate. */
  certReqs: "none" | "optional" | "required";
  /** The oldest version that is spoken. */
  sslVersion: "TLSv1.2" | "TLSv1.3";
  /** The ciphers of TLS 1.2. */
  ciphers: string | null;
}

/** A choice whose words have other names too, as gunicorn has them. */
function renamed<W extends string>(kind: Kind<W>, names: Readonly<Record<string, W>>): Kind<W> {
  const check = (value: unknown): W | undefined =>
    kind.check(Object.hasOwn(names, String(value)) ? names[String(value)] : value);
  return { ...kind, parse: check, check };
}

/** The settings of this topic. */
export const tls: Topic<TlsCommandSettings> = {
  certfile: {
    kind: list(text("FILE")),
    default: [],
    defaultText: "no TLS",
    help: "The certificate, with which the addresses speak TLS. A file in PEM form, the intermediate certificates " +
      "behind the own one. Repeat the option for several names: a client gets the one for the name that it asks for, " +
      "else the first. A file that changes is read anew, and connections stay open. Over HTTP only.",
  },
  keyfile: {
    kind: list(text("FILE")),
    default: [],
    defaultText: "in the files of the certificates",
    help: "The private key of the certificate, in PEM form. With several certificates, their keys in the same order.",
  },
  passphraseFile: {
    kind: optional(text("FILE")),
    default: null,
    defaultText: "none",
    help: "File with the passphrase of keys that are encrypted, in its first line.",
  },
  caCerts: {
    kind: optional(text("FILE")),
    default: null,
    defaultText: "none",
    help: "File with the certificates of those who may sign the certificates of clients. For `--cert-reqs`.",
  },
  certReqs: {
    kind: renamed(choice("none", "optional", "required"), { 0: "none", 1: "optional", 2: "required" }),
    default: "none",
    help: "Whether clients are asked for a certificate, and whether they have to have one. What is in it is in the " +
      "environ, as SSL_CLIENT_S_DN and others. gunicorn's 0, 1 and 2 are the same.",
  },
  sslVersion: {
    kind: renamed(choice("TLSv1.2", "TLSv1.3"), { TLSv1_2: "TLSv1.2", TLSv1_3: "TLSv1.3" }),
    default: "TLSv1.2",
    help: "The oldest version of TLS that is spoken.",
  },
  ciphers: {
    kind: optional(text("LIST")),
    default: null,
    defaultText: "the runtime's",
    help: "The ciphers of TLS 1.2, as a list in OpenSSL's form: `ECDHE+AESGCM:ECDHE+CHACHA20`. Those of TLS 1.3 are " +
      "always the runtime's. Deno takes no list and refuses it.",
  },
};
