/**
 * The names in certificates: DER in, text by RFC 4514 out. Applications decide by it who somebody is.
 *
 * @module
 */

import { X509Certificate } from "node:crypto";
import { rootCertificates } from "node:tls";
import { namesOf } from "../../../core/server/distinguished_name.ts";
import type { Random } from "../random.ts";
import { Broken, bytesOf, expect, type Target } from "../target.ts";

const TYPES = [
  "\x55\x04\x03",
  "\x55\x04\x06",
  "\x55\x04\x0a",
  "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19",
  "\x2a\x03\x04",
];

/** The target. */
export const names: Target = {
  longest: 3000,
  seeds: () => rootCertificates.slice(0, 40).map((pem) => new Uint8Array(new X509Certificate(pem).raw)),
  words: [
    ...TYPES,
    "\x0c\x01",
    "\x1e\x02\0a",
    "\x1c\x04\0\0\0a",
    "\x14\x01\xe9",
    "\x30\x80",
    "\x84\xff\xff\xff\xff",
    ',+\\"#;<>',
  ],
  generate: (random) => bytesOf(certificate(random)),
  check(input: Uint8Array): void {
    let texts: string[];
    try {
      const { subject, issuer } = namesOf(input);
      texts = [subject, issuer];
    } catch (error) {
      const { name, message, stack } = error as Error;
      expect(
        name === "RangeError" && message === "The certificate is malformed",
        "only the named error",
        () => `${stack}`,
      );
      return;
    }
    for (const text of texts) expectName(text);
  },
};

const PAIR = `\\\\(?:[ "#+,;<>=\\\\]|[0-9A-Fa-f]{2})`;
const LEAD = `[!$-*\\-.\\/-:=?-\\[\\]-~]`; // no special character, space or # at the beginning
const MIDDLE = `[ #!$-*\\-.\\/-:=?-\\[\\]-~]`;
const VALUE = `(?:#(?:[0-9A-F]{2})+|(?:(?:${LEAD}|${PAIR})(?:${MIDDLE}|${PAIR})*)?)`;
const TYPE = `(?:[A-Za-z][A-Za-z0-9-]*|(?:0|[1-9][0-9]*)(?:\\.(?:0|[1-9][0-9]*))+)`;
const ATTRIBUTE = `${TYPE}=${VALUE}`;
const NAME = new RegExp(`^(?:${ATTRIBUTE}(?:[+,]${ATTRIBUTE})*)?$`);

/** A text obeys the grammar of RFC 4514 3, which has no controls and here nothing but ASCII. */
function expectName(text: string): void {
  if (!NAME.test(text)) throw new Broken("a name obeys the grammar of RFC 4514", text.slice(0, 400));
  const spaces = /(?:^|[+,])[^=]+=[^+,]*(?<!\\) (?:$|[+,])/.test(text.replace(/\\[^0-9A-Fa-f ]/g, "x"));
  expect(!spaces, "a space at the end of a value is escaped", () => text);
}

function certificate(random: Random): string {
  const name = (): string => element(0x30, random.many(0, 3, () => set(random)).join(""));
  const fields = ["\x02\x01\x01", element(0x30, "\x06\x01\x2a"), name(), element(0x30, ""), name()];
  if (!random.oneIn(4)) fields.unshift("\xa0\x03\x02\x01\x02");
  return element(0x30, element(0x30, fields.join("")) + element(0x30, ""));
}

function set(random: Random): string {
  return element(0x31, random.many(1, random.oneIn(4) ? 3 : 1, () => attribute(random)).join(""));
}

function attribute(random: Random): string {
  const type = random.oneIn(5) ? random.text(12, "\x2a\x55\x04\x03\x80\x81\xff\x7f\0") : random.pick(TYPES);
  const tag = random.pick([0x0c, 0x13, 0x16, 0x14, 0x1e, 0x1c, 0x02, 0x30]);
  const value = random.text(
    12,
    tag === 0x1e || tag === 0x1c ? "\0\0\0a\xd8\xdc ,\x01" : 'ab ,+"\\<>;#=\n\0\xc3\xa9\xff',
  );
  return element(0x30, element(0x06, type) + element(tag, value));
}

function element(tag: number, content: string): string {
  const { length } = content;
  const size = length < 128 ? String.fromCharCode(length) : String.fromCharCode(0x82, length >> 8, length & 255);
  return String.fromCharCode(tag) + size + content;
}
