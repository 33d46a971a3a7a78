/**
 * Cookies: reading the Cookie field (RFC 6265 4.2) and making Set-Cookie fields (RFC 6265bis 4.1).
 *
 * A cookie that a browser would drop without a word is an error here, because nobody sees it missing.
 *
 * @module
 */

import { describe } from "../core/errors.ts";
import { CONTROL, TOKEN, trimOws } from "../core/grammar.ts";
import type { RequestFields } from "./media_type.ts";
import { checkOptions, type OptionNames } from "./options.ts";
import { percentEncode, strictUtf8 } from "./query.ts";

/** Cookies by name. The object has no prototype, so a cookie may have any name. */
export type Cookies = Readonly<Record<string, string | undefined>>;

/**
 * The cookies of a request. Of cookies with one name the first counts, which has the longest path. Values lose their
 * quotation marks, and are decoded as UTF-8 and percent-decoded where they are valid. What is no cookie is skipped, and so
 * are names that are no tokens.
 *
 * @example
 * ```ts
 * import { parseCookies } from "tsgi/http";
 * import { createEnviron } from "tsgi/testing";
 * const cookies = parseCookies(createEnviron({ headers: { Cookie: "theme=dark; name=J%C3%BCrgen" } }));
 * console.assert(cookies.theme === "dark" && cookies.name === "J\u00fcrgen" && cookies.none === undefined);
 * ```
 */
export function parseCookies(environ: RequestFields): Cookies {
  const cookies: Record<string, string> = Object.create(null);
  for (const pair of (environ.HTTP_COOKIE ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (at < 0) continue;
    const name = trimOws(pair.slice(0, at));
    if (TOKEN.test(name) && !(name in cookies)) cookies[name] = decoded(trimOws(pair.slice(at + 1)));
  }
  return cookies;
}

function decoded(value: string): string {
  const octets = value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
  const bare = strictUtf8(octets) ?? octets;
  if (!bare.includes("%")) return bare;
  try {
    return decodeURIComponent(bare);
  } catch {
    return bare;
  }
}

/** Attributes of a cookie. */
export interface CookieOptions {
  /** Lifetime in seconds; 0 removes the cookie. Without it and `expires`, the cookie lives as long as the browser runs. */
  readonly maxAge?: number;
  /** When the cookie ends. Browsers prefer `maxAge`. */
  readonly expires?: Date;
  /** The host that gets it, with all hosts below. Default: the host that set it, without those below. */
  readonly domain?: string;
  /** The path below which it is sent. Default `"/"`. */
  readonly path?: string;
  /** Whether it is sent over HTTPS only. Default false, and true for names that begin with `__Host-`, `__Http-` or `__Secure-`. */
  readonly secure?: boolean;
  /** Whether scripts of the page cannot read it. Default true. */
  readonly httpOnly?: boolean;
  /** Whether other sites' requests have it. Default `"Lax"`. */
  readonly sameSite?: "Strict" | "Lax" | "None";
  /** Whether each site that embeds this one has cookies of its own (CHIPS). Default false. */
  readonly partitioned?: boolean;
}

const OPTIONS: OptionNames<CookieOptions> = {
  maxAge: true,
  expires: true,
  domain: true,
  path: true,
  secure: true,
  httpOnly: true,
  sameSite: true,
  partitioned: true,
};
const MOST = 4096; // octets of name and value that browsers keep (RFC 6265bis 5.6)
const MOST_ATTRIBUTE = 1024; // octets of an attribute's value
const NOT_IN_COOKIE = /[^\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]|%/gu; // cookie-octet, less the escape itself
const DOMAIN = /^\.?[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/i;
const SAME_SITE: ReadonlySet<unknown> = new Set(["Strict", "Lax", "None"]);

/**
 * The header field that sets a cookie. The value may be any text: what cookies cannot hold is percent-encoded, and
 * {@linkcode parseCookies} decodes it.
 *
 * @param name A token. `__Secure-`, `__Host-`, `__Http-` and `__Host-Http-` at its start demand what browsers demand.
 * @returns the pair for the header list of `startResponse`.
 * @throws {TypeError} for a cookie that browsers would refuse: an invalid attribute, `SameSite=None` or `Partitioned`
 *   without Secure, a prefix whose conditions do not hold, more than 4096 octets.
 *
 * @example
 * ```ts
 * import { setCookie } from "tsgi/http";
 * const [name, value] = setCookie("__Host-theme", "dark; blue", { maxAge: 3600 });
 * console.assert(name === "Set-Cookie");
 * console.assert(value === "__Host-theme=dark%3B%20blue; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Lax");
 * ```
 */
export function setCookie(name: string, value: string, options: CookieOptions = {}): [name: string, value: string] {
  const refuse = (why: string): TypeError => new TypeError(`setCookie: ${why}`);
  if (typeof name !== "string" || !TOKEN.test(name)) throw refuse(`expected a token as name, got ${describe(name)}`);
  if (typeof value !== "string") throw refuse(`expected a string as value of ${name}, got ${describe(value)}`);
  checkOptions("setCookie", options, OPTIONS);
  const prefix = /^__(?:host-http|host|http|secure)-/i.exec(name)?.[0].toLowerCase();
  const { maxAge, expires, domain, path = "/", sameSite = "Lax", httpOnly = true, partitioned = false } = options;
  const secure = options.secure ?? prefix !== undefined;
  const parts = [`${name}=${percentEncode(value, NOT_IN_COOKIE)}`];
  if ((parts[0] as string).length > MOST + 1) {
    throw refuse(`${name} has ${(parts[0] as string).length - 1} octets; browsers keep at most ${MOST}`);
  }
  if (maxAge !== undefined) {
    if (!Number.isSafeInteger(maxAge)) throw refuse(`expected whole seconds as maxAge, got ${describe(maxAge)}`);
    parts.push(`Max-Age=${maxAge}`);
  }
  if (expires !== undefined) {
    const year = expires instanceof Date ? expires.getUTCFullYear() : NaN;
    // Browsers ignore other years, and the cookie would end with the browser.
    if (!(year >= 1601 && year <= 9999)) {
      throw refuse(`expected a valid Date of the years 1601 to 9999 as expires, got ${describe(expires)}`);
    }
    parts.push(`Expires=${expires.toUTCString()}`);
  }
  if (domain !== undefined) {
    if (typeof domain !== "string" || !DOMAIN.test(domain)) {
      throw refuse(`expected a host name as domain, got ${describe(domain)}`);
    }
    parts.push(`Domain=${domain}`);
  }
  if (typeof path !== "string" || !path.startsWith("/") || /[;\u0080-\uffff]/.test(path) || CONTROL.test(path)) {
    throw refuse(`expected a path in ASCII that begins with "/" and has no ";", got ${describe(path)}`);
  }
  parts.push(`Path=${path}`);
  if ([path, domain ?? ""].some((one) => one.length > MOST_ATTRIBUTE)) {
    throw refuse(`an attribute has more than ${MOST_ATTRIBUTE} octets, which browsers ignore`);
  }
  if (secure) parts.push("Secure");
  if (httpOnly) parts.push("HttpOnly");
  if (!SAME_SITE.has(sameSite)) {
    throw refuse(`expected "Strict", "Lax" or "None" as sameSite, got ${describe(sameSite)}`);
  }
  parts.push(`SameSite=${sameSite}`);
  if (partitioned) parts.push("Partitioned");
  if (!secure) {
    if (prefix !== undefined) throw refuse(`${name} needs secure: its prefix says so`);
    if (sameSite === "None") throw refuse("sameSite: None needs secure");
    if (partitioned) throw refuse("partitioned needs secure");
  }
  if (prefix?.startsWith("__host-") && (path !== "/" || domain !== undefined)) {
    throw refuse(`${name} must have the path "/" and no domain: its prefix says so`);
  }
  if (prefix?.endsWith("http-") && !httpOnly) throw refuse(`${name} needs httpOnly: its prefix says so`);
  return ["Set-Cookie", parts.join("; ")];
}
