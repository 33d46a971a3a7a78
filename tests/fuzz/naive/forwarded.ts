/**
 * Deliberately simple readers of Forwarded and X-Forwarded-For, which share no code with core.
 *
 * @module
 */

import { isIPv4, isIPv6 } from "node:net";

/** One end of a connection: an address, `""` for a Unix socket, null if it is hidden; and a port or `""`. */
export type NaiveHop = readonly [address: string | null, port: string];

/** Splits text at a sign, but not within quotes; null if quotes do not end. */
function parts(text: string, sign: string): string[] | null {
  const found = [""];
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i] as string;
    if (char === '"') quoted = !quoted;
    if (char === sign && !quoted) found.push("");
    else found[found.length - 1] += char;
    if (char === "\\" && quoted) found[found.length - 1] += text[++i] ?? "";
  }
  return quoted ? null : found;
}

const trimmed = (text: string): string => text.replace(/^[ \t]+|[ \t]+$/g, "");

/** The elements of a Forwarded field, each with its parameters; null for one that RFC 7239 does not allow. */
export function naiveForwarded(value: string): Record<string, string>[] | null {
  const elements: Record<string, string>[] = [];
  for (const element of parts(value, ",") ?? [null]) {
    const found: Record<string, string> = Object.create(null);
    for (const pair of element === null ? [null] : parts(element, ";") ?? [null]) {
      if (pair === null) return null;
      if (trimmed(pair) === "") continue;
      const match = /^([!#$%&'*+.^_`|~\w-]+)=(?:([!#$%&'*+.^_`|~\w-]+)|"(.*)")$/s.exec(trimmed(pair));
      if (match === null) return null;
      const name = (match[1] as string).toLowerCase();
      if (name in found) return null;
      const text = match[2] ?? unquoted(match[3] as string);
      if (text === null) return null;
      found[name] = text;
    }
    if (Object.keys(found).length > 0) elements.push(found);
  }
  return elements;
}

/** The text of a quoted string; null if it has a sign that none may have. */
function unquoted(quoted: string): string | null {
  let text = "";
  for (let i = 0; i < quoted.length; i++) {
    const escapes = quoted[i] === "\\";
    const char = escapes ? quoted[++i] : quoted[i];
    if (char === undefined || (char < " " && char !== "\t") || char === "\x7f" || (!escapes && char === '"')) {
      return null;
    }
    text += char;
  }
  return text;
}

/** A node of RFC 7239 6; null if it is none. */
export function naiveNode(text: string): NaiveHop | null {
  const inBrackets = /^\[(.*)\](?::(.*))?$/s.exec(text);
  const [name = "", port, ...more] = inBrackets === null ? text.split(":") : [inBrackets[1], inBrackets[2]];
  const hidden = /^_[\w.-]+$/;
  if (more.length > 0 || (port !== undefined && !/^[0-9]{1,5}$/.test(port) && !hidden.test(port))) return null;
  if (inBrackets === null && (name.toLowerCase() === "unknown" || hidden.test(name))) return [null, ""];
  if (inBrackets === null ? !isIPv4(name) : !isIPv6(name) || name.includes("%")) return null;
  if (port === undefined || port.startsWith("_")) return [name, ""];
  return Number(port) > 65535 ? null : [name, `${Number(port)}`];
}

/** A member of X-Forwarded-For; null if it is none. */
export function naiveFor(text: string): NaiveHop | null {
  if (text === "unix:") return ["", ""];
  return isIPv6(text) ? naiveNode(`[${text}]`) : naiveNode(text);
}

/** The members of a list, without empty ones. */
export function naiveList(value: string): string[] {
  return value.split(",").map(trimmed).filter((one) => one !== "");
}
