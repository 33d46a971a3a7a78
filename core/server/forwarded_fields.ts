/**
 * The grammars of the fields by which proxies state whose request they relay: Forwarded (RFC 7239 4), and the X-Forwarded
 * fields, which have no standard.
 *
 * Each proxy in a chain appends what it knows to the lists. So the right-most member was written by the proxy that is
 * connected to the server, and members further left by whoever was before it. Functions here parse one member: which
 * members count is decided in `forwarded.ts`.
 *
 * Messages name the field and never repeat its value, which a stranger may have chosen.
 *
 * @module
 */

import { CONTROL, isOws, percentDecode } from "../grammar.ts";
import { BAD_REQUEST, Refusal } from "../refusal.ts";
import { checkHost } from "../wires/http1/target.ts";
import { isAddress } from "./peer_policy.ts";

/** One end of a connection, as a field states it. */
export interface Hop {
  /** Its address; `""` if it is at a Unix socket, and null if the field hides it. */
  readonly address: string | null;
  /** Its port; `""` if the field does not state it. */
  readonly port: string;
}

/** One element of a Forwarded field: the values of its parameters, by their names in small letters. */
export type ForwardedElement = ReadonlyMap<string, string>;

const HIDDEN: Hop = { address: null, port: "" };
const UNIX: Hop = { address: "", port: "" };

const OBFUSCATED = "_[A-Za-z0-9._-]+";
const NODE = new RegExp(`^(?:\\[([^\\]]*)\\]|([^:\\[\\]]+))(?::([0-9]{1,5}|${OBFUSCATED}))?$`);
const HIDDEN_NAME = new RegExp(`^(?:unknown|${OBFUSCATED})$`, "i");

/**
 * A node of the field Forwarded (RFC 7239 6): an IPv4 address, an IPv6 address in brackets, `unknown` or a name that
 * begins with an underscore; each with a port, where it is stated.
 *
 * @throws {Refusal} 400 when it is anything else.
 *
 * @example
 * ```ts
 * import { parseNode } from "./forwarded_fields.ts";
 * const { address, port } = parseNode("[2001:db8::1]:4711", "Forwarded");
 * console.assert(address === "2001:db8::1" && port === "4711" && parseNode("_hidden", "Forwarded").address === null);
 * ```
 */
export function parseNode(text: string, field: string): Hop {
  const [, v6, name = "", port = ""] = NODE.exec(text) ?? [];
  if (v6 === undefined ? HIDDEN_NAME.test(name) : false) return HIDDEN;
  const address = v6 ?? name;
  const isGood = v6 === undefined ? !address.includes(":") : v6.includes(":") && !v6.includes("%");
  if (!isGood || !isAddress(address)) throw malformed(field, "a client that is not an address");
  if (port === "" || port.startsWith("_")) return { address, port: "" };
  if (Number(port) > 65535) throw malformed(field, "a port above 65535");
  return { address, port: String(Number(port)) };
}

/**
 * A member of the field X-Forwarded-For. Beside what {@linkcode parseNode} takes it may be an IPv6 address without
 * brackets, and `unix:`, which nginx writes for a client at a Unix socket.
 *
 * @throws {Refusal} 400 when it is anything else.
 *
 * @example
 * ```ts
 * import { parseForwardedFor } from "./forwarded_fields.ts";
 * console.assert(parseForwardedFor("192.0.2.7:80").port === "80" && parseForwardedFor("::1").address === "::1");
 * console.assert(parseForwardedFor("unix:").address === "");
 * ```
 */
export function parseForwardedFor(text: string): Hop {
  if (text === "unix:") return UNIX;
  const isBare = !text.startsWith("[") && text.indexOf(":") !== text.lastIndexOf(":");
  return parseNode(isBare ? `[${text}]` : text, "X-Forwarded-For");
}

/**
 * A scheme. Proxies that relay a WebSocket write `ws` and `wss`.
 *
 * @throws {Refusal} 400 when it is none of HTTP.
 *
 * @example
 * ```ts
 * import { parseProto } from "./forwarded_fields.ts";
 * console.assert(parseProto("WSS", "Forwarded") === "https");
 * ```
 */
export function parseProto(text: string, field: string): "http" | "https" {
  const scheme = text.toLowerCase();
  if (scheme === "https" || scheme === "wss") return "https";
  if (scheme === "http" || scheme === "ws") return "http";
  throw malformed(field, "a scheme that is not http or https");
}

/**
 * Checks a host with an optional port. It may not be empty.
 *
 * @throws {Refusal} 400 when it is anything else.
 *
 * @example
 * ```ts
 * import { parseHost } from "./forwarded_fields.ts";
 * console.assert(parseHost("example.org:8443", "X-Forwarded-Host") === "example.org:8443");
 * ```
 */
export function parseHost(text: string, field: string): string {
  try {
    checkHost(text);
  } catch {
    throw malformed(field, "a host that is not a host with an optional port");
  }
  if (text === "" || text.startsWith(":")) throw malformed(field, "an empty host");
  const { port } = splitHost(text);
  if (port !== undefined && Number(port) > 65535) throw malformed(field, "a port above 65535");
  return text;
}

/** Splits a checked host from its port, which is undefined if it is absent or empty. */
export function splitHost(text: string): { readonly name: string; readonly port: string | undefined } {
  const [whole = "", port = ""] = /:([0-9]*)$/.exec(text) ?? [];
  return { name: text.slice(0, text.length - whole.length), port: port === "" ? undefined : port };
}

/**
 * A port from 1 to 65535, in decimal.
 *
 * @throws {Refusal} 400 when it is anything else.
 *
 * @example
 * ```ts
 * import { parsePort } from "./forwarded_fields.ts";
 * console.assert(parsePort("8443") === "8443");
 * ```
 */
export function parsePort(text: string): string {
  if (/^[1-9][0-9]{0,4}$/.test(text) && Number(text) <= 65535) return text;
  throw malformed("X-Forwarded-Port", "a port that is not a number from 1 to 65535");
}

/** A path below which a proxy offers the application. */
export interface Prefix {
  /** As the proxy writes it, without a slash at its end. */
  readonly raw: string;
  /** Decoded once, as PATH_INFO is. */
  readonly path: string;
}

/** A path (RFC 3986 3.3) in which each escape is complete. */
const PREFIX = /^\/(?:[A-Za-z0-9\-._~!$&'()*+;=:@/]|%[0-9A-Fa-f]{2})*$/;

/**
 * A path that begins with a slash, without empty and dot segments. A slash at its end is left out.
 *
 * @throws {Refusal} 400 when it is anything else.
 *
 * @example
 * ```ts
 * import { parsePrefix } from "./forwarded_fields.ts";
 * console.assert(parsePrefix("/a%20b/").path === "/a b" && parsePrefix("/").path === "");
 * ```
 */
export function parsePrefix(text: string): Prefix {
  const path = PREFIX.test(text) ? percentDecode(text) : "";
  const segments = path.split("/").slice(1, path.endsWith("/") ? -1 : undefined);
  const isGood = path !== "" && !CONTROL.test(path) && !path.includes("\\") &&
    segments.every((segment) => segment !== "" && segment !== "." && segment !== "..");
  if (!isGood) throw malformed("X-Forwarded-Prefix", "a path that does not begin with a slash or is not normal");
  return path.endsWith("/") ? { raw: text.replace(/(?:\/|%2f)$/i, ""), path: path.slice(0, -1) } : { raw: text, path };
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const QUOTED = '"((?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t \\x21-\\x7e\\x80-\\xff])*)"';
const PAIR = new RegExp(`(${TOKEN})=(?:(${TOKEN})|${QUOTED})`, "y");

/**
 * The elements of the field Forwarded (RFC 7239 4): parameters with semicolons between them, elements with commas. In
 * a quoted string both are ordinary characters. Elements without parameters are left out (RFC 9110 5.6.1.2).
 *
 * @throws {Refusal} 400 when it is malformed, or when an element has a parameter twice.
 *
 * @example
 * ```ts
 * import { parseForwarded } from "./forwarded_fields.ts";
 * const [first, second] = parseForwarded('For="[2001:db8::1]:4711";proto=https, for="_a"');
 * console.assert(first?.get("for") === "[2001:db8::1]:4711" && second?.get("for") === "_a");
 * ```
 */
export function parseForwarded(value: string): readonly ForwardedElement[] {
  const elements: ForwardedElement[] = [];
  let element = new Map<string, string>();
  let separated = true; // a parameter may follow
  for (let at = 0; at <= value.length;) {
    const char = value.charCodeAt(at);
    if (at === value.length || char === COMMA) {
      if (element.size > 0) elements.push(element);
      element = new Map();
      separated = true;
      at++;
    } else if (char === SEMICOLON) {
      separated = true;
      at++;
    } else if (isOws(char)) {
      at++;
    } else {
      PAIR.lastIndex = at;
      const [whole, name = "", token, quoted = ""] = separated ? PAIR.exec(value) ?? [] : [];
      if (whole === undefined) throw malformed("Forwarded", "a parameter that is not name=value");
      const key = name.toLowerCase();
      if (element.has(key)) throw malformed("Forwarded", "a parameter twice in one element");
      element.set(key, token ?? quoted.replace(/\\(.)/g, "$1"));
      separated = false;
      at += whole.length;
    }
  }
  return elements;
}

const COMMA = 0x2c;
const SEMICOLON = 0x3b;

/** The refusal of a field that its grammar does not allow. */
export function malformed(field: string, what: string): Refusal {
  return new Refusal(BAD_REQUEST, `${field}, which is believed, has ${what}`);
}
