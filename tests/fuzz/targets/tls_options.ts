/**
 * The option `tls`: whatever value a program passes, the check accepts it as typed settings or names the wrong member.
 *
 * The bytes of an input are choices: they build a value, member by member.
 *
 * @module
 */

import type { TlsSettings } from "../../../core/seams.ts";
import type { TlsOptions } from "../../../core/server/serve_options.ts";
import { tlsSettings } from "../../../core/server/tls_options.ts";
import type { Random } from "../random.ts";
import { Broken, expect, type Target } from "../target.ts";

const SECRET = "pass-phrase-of-a-test";
const PEM = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
const MEMBERS = [
  "cert",
  "key",
  "passphrase",
  "sni",
  "ca",
  "certReqs",
  "minVersion",
  "ciphers",
  "crt",
  "__proto__",
  "constructor",
];
const MODES = ["none", "optional", "required"];
const VERSIONS = ["TLSv1.2", "TLSv1.3"];
const LEAVES: readonly unknown[] = [
  ..."/etc/a.pem||a\0b|none|optional|required|TLSv1.2|TLSv1.3|TLSv1|toString".split("|"),
  ...[PEM, SECRET, undefined, null, 0, NaN, true, 1n, Symbol("s"), () => "x", new Date(0), /x/, new Uint8Array(2)],
];
const OBJECT = 28;
const LIST = 29;
const BARE = 30; // an object without a prototype
const KINDS = 31;

/** The target. */
export const tlsOptions: Target = {
  longest: 200,
  seeds: () =>
    [[OBJECT, 1, 0, 0], [OBJECT, 3, 0, 0, 4, 0, 5, 4], [OBJECT, 2, 0, 0, 3, LIST, 1, OBJECT, 1, 0, 0], [21]]
      .map((choices) => Uint8Array.from(choices)),
  words: ["\x1c\x01\x00\x00", "\x1d\x01", "\x04\x00", "\x05\x04", "\x05\x05", "\x06\x07", "\x02\x0b"],
  generate: (random: Random) => Uint8Array.from({ length: random.between(2, 40) }, () => random.below(32)),
  check(input: Uint8Array): void {
    let at = 0;
    const value = built(() => (input[at++] ?? 0) % KINDS, 0);
    let settings: TlsSettings;
    try {
      settings = tlsSettings(value as TlsOptions, "tls");
    } catch (error) {
      const { name, message } = error as Error;
      expect(name === "OptionError", "only OptionError", () => (error as Error).stack ?? message);
      expect(message.startsWith("Option tls"), "the message names the option", () => message);
      expect(!/passphrase/.test(message) || !message.includes(SECRET), "no message has the passphrase", () => message);
      return;
    }
    expectTyped(settings);
  },
};

/** A value made of choices. */
function built(next: () => number, depth: number): unknown {
  const kind = next();
  if (kind === LIST && depth < 4) return Array.from({ length: next() % 4 }, () => built(next, depth + 1));
  if ((kind !== OBJECT && kind !== BARE) || depth >= 4) return LEAVES[kind % LEAVES.length];
  const object = (kind === BARE ? Object.create(null) : {}) as Record<string, unknown>;
  for (let left = next() % 8; left > 0; left--) {
    const name = MEMBERS[next() % MEMBERS.length] as string;
    const value = built(next, depth + 1);
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return object;
}

function expectTyped({ identities, ca, certReqs, minVersion, protocols }: TlsSettings): void {
  const isText = (value: unknown): boolean => typeof value === "string" && value !== "" && !value.includes("\0");
  if (!Array.isArray(identities) || identities.length === 0) throw new Broken("there is a certificate", "none");
  for (const { cert, key, passphrase } of identities) {
    expect(isText(cert) && isText(key), "certificate and key are text", () => [typeof cert, typeof key]);
    expect(passphrase === undefined || typeof passphrase === "string", "a passphrase is text", () => typeof passphrase);
  }
  expect(MODES.includes(certReqs) && VERSIONS.includes(minVersion), "known words", () => [certReqs, minVersion]);
  expect((ca === undefined) === (certReqs === "none"), "ca and certReqs go together", () => certReqs);
  expect(ca === undefined || isText(ca), "ca is text", () => typeof ca);
  expect(Array.isArray(protocols) && protocols.every(isText), "protocols are text", () => protocols);
}
