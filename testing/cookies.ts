/**
 * A cookie jar (RFC 6265): it stores cookies from Set-Cookie and sends them back, like a browser.
 *
 * Cookies are identified by name, domain and path. The jar honors Expires and Max-Age, Domain, Path and Secure. It
 * ignores HttpOnly and SameSite, because this client has no scripts and no other sites.
 *
 * @module
 */

/** A cookie in a jar. */
export interface Cookie {
  /** Its name. */
  readonly name: string;
  /** Its value, as it was sent. */
  readonly value: string;
  /** The host that set it, or its Domain attribute, in lower case. */
  readonly domain: string;
  /** Whether hosts below `domain` get it too. */
  readonly subdomains: boolean;
  /** The path it is for. */
  readonly path: string;
  /** Whether it is for https only. */
  readonly secure: boolean;
  /** When it expires, in milliseconds since 1970; Infinity for the end of the session. */
  readonly expires: number;
}

/** The part of a request's URL that selects cookies. */
export interface CookieScope {
  /** Host without its port. */
  readonly host: string;
  /** Path without its query. */
  readonly path: string;
  /** Whether the request uses https. */
  readonly secure: boolean;
}

/**
 * The cookies of a client.
 *
 * @example
 * ```ts
 * import { client } from "tsgi/testing";
 * const visitor = client((environ, startResponse) => {
 *   const seen = environ.HTTP_COOKIE ?? "no cookies";
 *   startResponse("200 OK", [["Content-Type", "text/plain"], ["Set-Cookie", "id=7; Path=/; HttpOnly"]]);
 *   return [seen];
 * });
 * console.assert(await (await visitor.get("/")).text() === "no cookies");
 * console.assert(await (await visitor.get("/")).text() === "id=7");
 * console.assert(visitor.cookies.get("id") === "7");
 * ```
 */
export class CookieJar implements Iterable<Cookie> {
  #cookies: Cookie[] = [];
  readonly #now: () => number;

  /** Makes an empty jar. `now` returns the time in milliseconds since 1970. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Returns the value of the first cookie called `name`, for any host and path; null when there is none. */
  get(name: string): string | null {
    return this.#living().find((cookie) => cookie.name === name)?.value ?? null;
  }

  /** Adds a cookie. It applies to every path of every host, unless `scope` restricts it. */
  set(name: string, value: string, scope: Partial<Omit<Cookie, "name" | "value">> = {}): void {
    const cookie = { domain: "", subdomains: true, path: "/", secure: false, expires: Infinity, ...scope };
    this.#put({ ...cookie, name, value });
  }

  /** Removes every cookie, or those called `name`. */
  clear(name?: string): void {
    this.#cookies = name === undefined ? [] : this.#cookies.filter((cookie) => cookie.name !== name);
  }

  /** The cookies that have not expired. */
  [Symbol.iterator](): Iterator<Cookie> {
    return this.#living()[Symbol.iterator]();
  }

  /** Stores a cookie from a Set-Cookie field of a response from `scope`. Malformed or foreign cookies are dropped. */
  receive(field: string, scope: CookieScope): void {
    const [pair = "", ...attributes] = field.split(";").map((part) => part.trim());
    const equals = pair.indexOf("=");
    if (equals < 1) return;
    const named = new Map(attributes.map((attribute) => {
      const [name = "", ...value] = attribute.split("=");
      return [name.trim().toLowerCase(), value.join("=").trim()];
    }));
    const wanted = (named.get("domain") ?? "").replace(/^\./, "").toLowerCase();
    const host = scope.host.toLowerCase();
    if (wanted !== "" && !isWithin(host, wanted)) return;
    const path = named.get("path") ?? "";
    this.#put({
      name: pair.slice(0, equals).trim(),
      value: pair.slice(equals + 1).trim(),
      domain: wanted === "" ? host : wanted,
      subdomains: wanted !== "",
      path: path.startsWith("/") ? path : defaultPath(scope.path),
      secure: named.has("secure"),
      expires: this.#expiry(named),
    });
  }

  /** The value of the Cookie field for a request, or null when there is none. */
  send(scope: CookieScope): string | null {
    const host = scope.host.toLowerCase();
    const fitting = this.#living().filter((cookie) =>
      (cookie.domain === host || (cookie.subdomains && (cookie.domain === "" || isWithin(host, cookie.domain)))) &&
      covers(cookie.path, scope.path) && (scope.secure || !cookie.secure)
    ).sort((a, b) => b.path.length - a.path.length);
    return fitting.length === 0 ? null : fitting.map(({ name, value }) => `${name}=${value}`).join("; ");
  }

  #expiry(attributes: ReadonlyMap<string, string>): number {
    const age = attributes.get("max-age");
    if (age !== undefined && /^-?[0-9]+$/.test(age)) return this.#now() + Number(age) * 1000;
    const date = Date.parse(attributes.get("expires") ?? "");
    return Number.isNaN(date) ? Infinity : date;
  }

  /** Replaces the cookie with the same name, domain and path. An expired cookie only removes it. */
  #put(cookie: Cookie): void {
    const same = (other: Cookie): boolean =>
      other.name === cookie.name && other.domain === cookie.domain && other.path === cookie.path;
    const at = this.#cookies.findIndex(same);
    if (cookie.expires <= this.#now()) this.#cookies = this.#cookies.filter((other) => !same(other));
    else if (at < 0) this.#cookies.push(cookie);
    else this.#cookies[at] = cookie;
  }

  #living(): Cookie[] {
    const now = this.#now();
    return this.#cookies = this.#cookies.filter(({ expires }) => expires > now);
  }
}

/** Whether a host equals a domain or is a subdomain of it. An IP address has no subdomains. */
function isWithin(host: string, domain: string): boolean {
  return host === domain || (host.endsWith(`.${domain}`) && !/^[0-9.]+$|:/.test(host));
}

/** Returns the default path of a cookie: the request path up to its last slash (RFC 6265 5.1.4). */
function defaultPath(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 1)).replace(/^(?!\/).*/, "/");
}

/** Whether a cookie's path equals the request path or is a parent of it (RFC 6265 5.1.4). */
function covers(path: string, request: string): boolean {
  if (!request.startsWith(path)) return false;
  return path.length === request.length || path.endsWith("/") || request[path.length] === "/";
}
