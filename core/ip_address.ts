/**
 * Reads IP addresses as text (RFC 4291 2.2, RFC 3986 3.2.2).
 *
 * An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`, `::ffff:c000:201`) is the IPv4 address in it, so that a rule about IPv4
 * holds on a socket for both.
 *
 * @module
 */

/**
 * An IP address, 16 bits an element; null when the text is none. An IPv4-mapped IPv6 address is the IPv4 address in
 * it, in each spelling.
 *
 * @example
 * ```ts
 * import { parseAddress } from "./ip_address.ts";
 * console.assert(parseAddress("::ffff:10.0.0.1")?.join() === "2560,1" && parseAddress("10.0.0") === null);
 * ```
 */
export function parseAddress(text: string): readonly number[] | null {
  if (!text.includes(":")) return parseV4(text);
  const address = parseV6(withoutDots(text.replace(/%.+$/, ""))); // without the zone
  return address !== null && isMapped(address) ? address.slice(6) : address;
}

/** Whether the words of an IPv6 address are an IPv4 address in it (RFC 4291 2.5.5.2). */
function isMapped(words: readonly number[]): boolean {
  return words[5] === 0xffff && words.slice(0, 5).every((word) => word === 0);
}

/** Whether a text is an IPv6 address, without a zone. */
export function isIPv6(text: string): boolean {
  return text.includes(":") && !text.includes("%") && parseAddress(text) !== null;
}

/** An IPv6 address whose last two words are in hexadecimal: they may be written as an IPv4 address (RFC 4291 2.2). */
function withoutDots(text: string): string {
  const colon = text.lastIndexOf(":") + 1;
  const words = parseV4(text.slice(colon));
  return words === null ? text : text.slice(0, colon) + words.map((word) => word.toString(16)).join(":");
}

const OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const V4 = new RegExp(`^${OCTET}\\.${OCTET}\\.${OCTET}\\.${OCTET}$`);

function parseV4(text: string): number[] | null {
  const octets = V4.exec(text);
  if (octets === null) return null;
  return [Number(octets[1]) * 256 + Number(octets[2]), Number(octets[3]) * 256 + Number(octets[4])];
}

function parseV6(text: string): number[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [head, tail] = halves.map((half) => half === "" ? [] : half.split(":"));
  const missing = 8 - (head?.length ?? 0) - (tail?.length ?? 0);
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const words = [...(head ?? []), ...Array<string>(missing).fill("0"), ...(tail ?? [])];
  return words.every((word) => /^[0-9a-f]{1,4}$/i.test(word)) ? words.map((word) => parseInt(word, 16)) : null;
}
