/**
 * Certificates for tests, made by `openssl` when a test asks for them. They are of one authority, in a folder of their
 * own.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate and its key, by their files. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** How a certificate is made. */
export interface Making {
  /** Its subject, as `openssl` takes it. Default: the first name. */
  readonly subject?: string;
  /** Names and addresses that it is valid for: `["DNS:a.test", "IP:127.0.0.1"]`. */
  readonly names?: readonly string[];
  /** Algorithm of the key. Default `"ec"`. */
  readonly algorithm?: Algorithm;
  /** Who signs it. Default: the authority. */
  readonly by?: Pair;
  /** Extensions beside the names, as `openssl` takes them. Default: that it may not sign others. */
  readonly extensions?: readonly string[];
}

type Algorithm = "ec" | "rsa" | "ed25519" | "rsa-pss";

const ALGORITHMS: Readonly<Record<Algorithm, readonly string[]>> = {
  ec: ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
  rsa: ["-newkey", "rsa:2048"],
  ed25519: ["-newkey", "ed25519"],
  "rsa-pss": ["-newkey", "rsa-pss", "-pkeyopt", "rsa_keygen_bits:2048"],
};

/** A folder with an authority and what it has signed. */
export class Certificates {
  readonly folder: string = mkdtempSync(join(tmpdir(), "tsgi-tls-"));
  /** The certificate of the authority. */
  readonly ca: string = this.path("ca.pem");
  #made = 0;

  constructor() {
    this.#request("ca", ["-x509", "-subj", "/CN=An authority of tests", "-days", "3"]);
  }

  /** The path of a file in the folder. */
  path(name: string): string {
    return join(this.folder, name);
  }

  /** A certificate that the authority has signed, in the files `name.pem` and `name.key`. */
  signed(
    name: string,
    {
      subject = `/CN=${name}`,
      names = [],
      algorithm = "ec",
      by = { cert: this.ca, key: this.path("ca.key") },
      extensions = ["basicConstraints=CA:FALSE"], // some extension, or it would be of version 1, which Deno refuses
    }: Making = {},
  ): Pair {
    this.#request(name, ["-subj", subject, "-utf8", "-multivalue-rdn"], algorithm);
    const file = this.path(`${name}.ext`);
    writeFileSync(
      file,
      [...extensions, ...(names.length === 0 ? [] : [`subjectAltName=${names.join(",")}`])].join("\n"),
    );
    const serial = String(0x1000 + this.#made++);
    const ca = ["-CA", by.cert, "-CAkey", by.key, "-set_serial", serial, "-days", "2"];
    openssl(
      "x509",
      "-req",
      "-in",
      this.path(`${name}.pem`),
      ...ca,
      "-extfile",
      file,
      "-out",
      this.path(`${name}.crt`),
    );
    writeFileSync(this.path(`${name}.pem`), readFileSync(this.path(`${name}.crt`)));
    return { cert: this.path(`${name}.pem`), key: this.path(`${name}.key`) };
  }

  /** A certificate that has signed itself. */
  stranger(name: string): Pair {
    this.#request(name, ["-x509", "-subj", `/CN=${name}`, "-days", "2"]);
    return { cert: this.path(`${name}.pem`), key: this.path(`${name}.key`) };
  }

  /** A copy of a key, encrypted by a command of `openssl`. Without one it is in PKCS #8, as `openssl` writes it. */
  encrypted(key: string, passphrase: string, how: readonly string[] = ["pkcs8", "-topk8"]): string {
    const path = `${key}.${this.#made++}.encrypted`;
    openssl(...how, "-in", key, "-out", path, "-passout", `pass:${passphrase}`);
    return path;
  }

  /** Removes the folder. */
  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  #request(name: string, more: readonly string[], algorithm: Algorithm = "ec"): void {
    const files = ["-keyout", this.path(`${name}.key`), "-out", this.path(`${name}.pem`)];
    openssl("req", ...ALGORITHMS[algorithm], "-nodes", ...files, ...more);
  }
}

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
}
