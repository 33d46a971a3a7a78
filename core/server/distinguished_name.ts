/**
 * The names in a certificate, of its subject and its issuer, as text (RFC 4514): `CN=someone,O=Acme`.
 *
 * Runtimes make text of names too, but not all of them escape: a comma or a line end inside of a value would look like
 * the beginning of another attribute, and applications decide by these names who somebody is. So the certificate is read
 * here, from its DER (RFC 5280 4.1):
 *
 *     Certificate ::= SEQUENCE { tbsCertificate SEQUENCE {
 *       [0] version OPTIONAL, serialNumber, signature, issuer Name, validity, subject Name, ... }, ... }
 *     Name ::= SEQUENCE OF SET OF SEQUENCE { type OBJECT IDENTIFIER, value ANY }
 *
 * The text has ASCII only, as environ values have. Other characters, and those that have a meaning, are escaped octets
 * of UTF-8: `\C3\A9`.
 *
 * @module
 */

/** The names of a certificate. */
export interface CertificateNames {
  /** Whose it is. */
  readonly subject: string;
  /** Who signed it. */
  readonly issuer: string;
}

const VERSION = 0xa0;
const SEQUENCE = 0x30;
const SET = 0x31;
const IDENTIFIER = 0x06;
const UTF16 = 0x1e; // BMPString
const UTF32 = 0x1c; // UniversalString
const LATIN1 = 0x14; // TeletexString, which in practice is latin-1
const UTF8 = [0x0c, 0x12, 0x13, 0x16, 0x1a]; // UTF8String and kinds that are ASCII

/** Names of attributes: those of RFC 4514 3, and common ones by the names that OpenSSL and mod_ssl have for them. */
const TYPES: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.4": "SN",
  "2.5.4.5": "serialNumber",
  "2.5.4.6": "C",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.9": "street",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "2.5.4.12": "title",
  "2.5.4.42": "GN",
  "2.5.4.46": "dnQualifier",
  "0.9.2342.19200300.100.1.1": "UID",
  "0.9.2342.19200300.100.1.25": "DC",
  "1.2.840.113549.1.9.1": "emailAddress",
};

/** An element of DER. */
interface Element {
  readonly tag: number;
  /** Its content. */
  readonly content: Uint8Array;
  /** The element with its head. */
  readonly whole: Uint8Array;
}

/**
 * The names of a certificate.
 *
 * @throws {RangeError} when the bytes are no certificate. A certificate that TLS has verified always is one.
 */
export function namesOf(certificate: Uint8Array): CertificateNames {
  const [tbs] = members(first(certificate), SEQUENCE);
  const fields = members(tbs, SEQUENCE);
  const [, , issuer, , subject] = fields[0]?.tag === VERSION ? fields.slice(1) : fields;
  return { subject: nameText(subject), issuer: nameText(issuer) };
}

/** The text of a name: its parts from the last to the first, as RFC 4514 2.1 has it; OpenSSL turns those of a set too. */
function nameText(name: Element | undefined): string {
  return members(name, SEQUENCE).map(setText).toReversed().join(",");
}

function setText(set: Element): string {
  const attributes = members(set, SET);
  if (attributes.length === 0) throw malformed(); // its text would be a comma alone
  return attributes.map(attributeText).toReversed().join("+");
}

function attributeText(attribute: Element): string {
  const [type, value, ...more] = members(attribute, SEQUENCE);
  if (type?.tag !== IDENTIFIER || value === undefined || more.length > 0) throw malformed();
  const oid = identifier(type.content);
  const text = stringOf(value);
  const name = Object.hasOwn(TYPES, oid) ? TYPES[oid] as string : oid;
  return `${name}=${text === undefined ? `#${hex(value.whole)}` : escaped(text)}`;
}

/** The characters of a value; undefined if it is no string. */
function stringOf({ tag, content }: Element): string | undefined {
  if (UTF8.includes(tag)) return new TextDecoder().decode(content);
  if (tag === LATIN1) return String.fromCharCode(...content);
  if (tag !== UTF16 && tag !== UTF32) return undefined;
  const size = tag === UTF16 ? 2 : 4;
  let text = "";
  for (let at = 0; at + size <= content.length; at += size) {
    const code = content.subarray(at, at + size).reduce((sum, byte) => sum * 256 + byte, 0);
    text += code > 0x10ffff ? "\ufffd" : String.fromCodePoint(code);
  }
  return text;
}

/** Escapes a value (RFC 4514 2.4): what has a meaning by a backslash, controls and what is not ASCII by its octets. */
function escaped(text: string): string {
  const octets = (char: string): string =>
    [...new TextEncoder().encode(char)].map((byte) => `\\${hex(Uint8Array.of(byte))}`).join("");
  return text
    .replace(/["+,;<>\\]/g, "\\$&")
    .replace(/^[ #]/, "\\$&")
    .replace(/(?<!^|^\\) $/, "\\ ")
    // deno-lint-ignore no-control-regex -- controls are what it is about
    .replace(/[\x00-\x1f\x7f]|[^\x00-\x7f]+/gu, octets);
}

/** The text of an object identifier: `2.5.4.3`. Its numbers may have any size; each has one encoding only (X.690 8.19). */
function identifier(bytes: Uint8Array): string {
  const arcs: bigint[] = [];
  let arc = 0n;
  let begun = false;
  for (const byte of bytes) {
    if (!begun && byte === 0x80) throw malformed();
    arc = arc * 128n + BigInt(byte & 0x7f);
    begun = byte >= 0x80;
    if (begun) continue;
    arcs.push(arc);
    arc = 0n;
  }
  const [both, ...rest] = arcs; // the first number stands for two arcs
  if (both === undefined || begun) throw malformed();
  const top = both < 80n ? both / 40n : 2n;
  return [top, both - top * 40n, ...rest].join(".");
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0").toUpperCase()).join("");
}

/** The elements in a sequence or a set. */
function members(whole: Element | undefined, tag: number): Element[] {
  if (whole?.tag !== tag) throw malformed();
  const found: Element[] = [];
  for (let rest = whole.content; rest.length > 0;) {
    const element = first(rest);
    found.push(element);
    rest = rest.subarray(element.whole.length);
  }
  return found;
}

function first(bytes: Uint8Array): Element {
  const [tag, short] = bytes;
  if (tag === undefined || short === undefined) throw malformed();
  const more = short < 0x80 ? 0 : short - 0x80; // bytes of the length
  const start = 2 + more;
  const length = more === 0 ? short : bytes.subarray(2, start).reduce((sum, byte) => sum * 256 + byte, 0);
  // OpenSSL reads BER too: tags of several bytes, and elements without a length. Neither belongs into a certificate.
  const isLongTag = (tag & 0x1f) === 0x1f;
  if (isLongTag || short === 0x80 || more > 4 || start + length > bytes.length) throw malformed();
  return { tag, content: bytes.subarray(start, start + length), whole: bytes.subarray(0, start + length) };
}

function malformed(): RangeError {
  return new RangeError("The certificate is malformed");
}
