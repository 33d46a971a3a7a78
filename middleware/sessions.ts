/**
 * Sessions in a signed cookie.
 *
 * The cookie has the data and a HMAC-SHA256 of it, so workers need no common store. The client can read the data, and
 * cannot change it. WebCrypto signs asynchronously, and only a session that has changed is signed: then the head waits for
 * the signature, and blocks wait for the head.
 *
 * @module
 */

import type { ApplicationFunction, Body, Environ, HeaderList, StartResponse, Write } from "../core/contract/types.ts";
import { describe } from "../core/errors.ts";
import { type CookieOptions, parseCookies, setCookie } from "../http/cookies.ts";
import { checkMiddlewareOptions, type OptionNames } from "../http/options.ts";
import { latin1, strictUtf8 } from "../http/query.ts";
import { delayed, isWhole, type Middleware, varying, whenReturned } from "./middleware.ts";

/** Options of {@linkcode sessions}. */
export interface SessionOptions extends Pick<CookieOptions, "domain" | "path" | "sameSite" | "secure"> {
  /**
   * Secrets of at least 32 octets. The first signs, all verify: put a new one in front, and take the old one away when
   * `maxAge` has passed.
   */
  readonly keys: readonly string[];
  /** Name of the cookie. Default `"session"`. */
  readonly name?: string;
  /** Lifetime in seconds. It begins anew with each change, and with a request in its second half. Default 14 days. */
  readonly maxAge?: number;
}

/** What the application finds in the environ. */
export interface WithSession<Data extends object> {
  /** The data of the session. Change it before you call `startResponse`; afterwards it is frozen. */
  "tsgi.session": Partial<Data>;
}

const OPTIONS: OptionNames<SessionOptions> = {
  keys: true,
  name: true,
  maxAge: true,
  domain: true,
  path: true,
  sameSite: true,
  secure: true,
};
const DAYS_14 = 14 * 24 * 60 * 60; // seconds
const LEAST_KEY = 32; // octets
const WHAT_KEYS = "keys: [secret]; openssl rand -hex 32 makes a secret";
const encoder = new TextEncoder();
const hash = { name: "HMAC", hash: "SHA-256" } as const;

/**
 * Keeps an object for each visitor, `environ["tsgi.session"]`, in a signed cookie. It can hold what JSON can, in about
 * 3000 octets. An empty object removes the cookie. A cookie that was changed, has expired or has a key that is gone is an
 * empty session.
 *
 * The client can read the data: no secrets. A copy of a cookie is valid until it expires: to end sessions before, keep a
 * number in it that your database can revoke.
 *
 * @typeParam Data The members that the application uses. Each may be missing.
 * @throws {TypeError} for missing or short keys, and another wrong option.
 *
 * @example
 * ```ts
 * import { sessions } from "tsgi/middleware";
 * import { client } from "tsgi/testing";
 * const keys = ["a new secret of 32 octets or more", "the old secret, which still verifies"];
 * const site = sessions<{ user: string }>({ keys })((environ, startResponse) => {
 *   const session = environ["tsgi.session"];
 *   if (environ.PATH_INFO === "/login") session.user = "ann";
 *   if (environ.PATH_INFO === "/logout") delete session.user;
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return [session.user ?? "nobody"];
 * });
 * const visitor = client(site);
 * await visitor.get("/login");
 * console.assert(await (await visitor.get("/")).text() === "ann");
 * await visitor.get("/logout");
 * console.assert(await (await visitor.get("/")).text() === "nobody");
 * ```
 */
export function sessions<Data extends object = Record<string, unknown>>(
  options: SessionOptions,
): Middleware<WithSession<Data>> {
  if (options === undefined) throw new TypeError(`sessions: expected options with ${WHAT_KEYS}`);
  checkMiddlewareOptions("sessions", options, OPTIONS, "sessions({ keys })");
  const { keys, name = "session", maxAge = DAYS_14, secure, ...attributes } = options;
  if (!Array.isArray(keys)) { // a text is not shown: it may be a secret
    const given = typeof keys === "string" ? "a string" : describe(keys);
    throw new TypeError(`sessions: expected an array of secrets as keys, got ${given}; write ${WHAT_KEYS}`);
  }
  if (keys.length === 0) throw new TypeError(`sessions: expected at least one secret in keys; write ${WHAT_KEYS}`);
  keys.forEach((key: unknown, i) => {
    if (typeof key === "string" && encoder.encode(key).length >= LEAST_KEY) return;
    throw new TypeError(
      `sessions: expected ${LEAST_KEY} octets or more as key ${i + 1}; openssl rand -hex 32 makes one`,
    );
  });
  if (!Number.isSafeInteger(maxAge) || maxAge <= 0) {
    throw new TypeError(`sessions: expected whole seconds as maxAge, got ${describe(maxAge)}`);
  }
  const cookie = (environ: Environ, value: string): [string, string] =>
    setCookie(name, value, {
      ...attributes,
      secure: secure ?? (environ["wsgi.url_scheme"] === "https" || name.startsWith("__")),
      maxAge: value === "" ? 0 : maxAge,
    });
  setCookie(name, "", { ...attributes, secure: secure ?? true }); // a wrong option throws here, at once
  const signer = new Signer(keys, `${name}=`);
  return (app) => (environ, startResponse) => {
    const given = parseCookies(environ)[name];
    const run = (opened: Opened | undefined): Body | Promise<Body> => {
      const exchange = new SessionExchange(startResponse, opened, maxAge, given !== undefined, async (data) => {
        if (data === undefined) return cookie(environ, "");
        return cookie(environ, await signer.seal({ data, expires: seconds() + maxAge }));
      });
      return exchange.run(app as ApplicationFunction<never>, environ);
    };
    return given === undefined ? run(undefined) : signer.open(given).then(run);
  };
}

/** The content of a cookie. */
interface Opened {
  readonly data: Record<string, unknown>;
  readonly expires: number; // seconds since 1970
}

function seconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** Signs and verifies values: base64url of JSON, a dot, base64url of the HMAC. */
class Signer {
  readonly #secrets: readonly string[];
  readonly #context: string; // what is signed with each value, so that one cookie is not good for another
  #keys: Promise<CryptoKey[]> | undefined;

  constructor(secrets: readonly string[], context: string) {
    this.#secrets = secrets;
    this.#context = context;
  }

  #imported(): Promise<CryptoKey[]> {
    return this.#keys ??= Promise.all(
      this.#secrets.map((secret) =>
        crypto.subtle.importKey("raw", encoder.encode(secret), hash, false, ["sign", "verify"])
      ),
    );
  }

  async seal(content: Opened): Promise<string> {
    const value = base64url(latin1(JSON.stringify(content)));
    const [key] = await this.#imported();
    const mac = new Uint8Array(await crypto.subtle.sign(hash, key as CryptoKey, encoder.encode(this.#context + value)));
    return `${value}.${base64url(String.fromCharCode(...mac))}`;
  }

  /** The content of a value; undefined for one that is malformed, not ours or too old. */
  async open(sealed: string): Promise<Opened | undefined> {
    const [value = "", mac = "", ...more] = sealed.split(".");
    const octets = fromBase64url(mac);
    if (more.length > 0 || octets === undefined) return undefined;
    const signature = Uint8Array.from(octets, (unit) => unit.charCodeAt(0));
    for (const key of await this.#imported()) {
      if (!await crypto.subtle.verify(hash, key, signature, encoder.encode(this.#context + value))) continue;
      const opened = JSON.parse(strictUtf8(fromBase64url(value) ?? "") ?? "null") as Opened | null;
      return opened !== null && opened.expires > seconds() ? opened : undefined;
    }
    return undefined;
  }
}

function base64url(octets: string): string {
  return btoa(octets).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromBase64url(text: string): string | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  try {
    return atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return undefined;
  }
}

/** One request with its session. */
class SessionExchange {
  readonly #startResponse: StartResponse;
  readonly #save: (data: Opened["data"] | undefined) => Promise<[string, string]>;
  readonly #session: Record<string, unknown>;
  readonly #before: string; // the data as JSON
  readonly #due: boolean; // the cookie has to be sent also without a change
  #head: Parameters<StartResponse> | undefined; // waits for the cookie
  #cookie: [string, string] | undefined;
  #signing: Promise<void> | undefined;
  #write: Write | undefined;
  #started = false;
  #over = false; // the application failed: nothing is started any more

  constructor(
    startResponse: StartResponse,
    opened: Opened | undefined,
    maxAge: number,
    hadCookie: boolean,
    save: (data: Opened["data"] | undefined) => Promise<[string, string]>,
  ) {
    this.#startResponse = startResponse;
    this.#save = save;
    this.#session = opened?.data ?? {};
    this.#before = JSON.stringify(this.#session);
    this.#due = opened === undefined ? hadCookie : opened.expires - seconds() < maxAge / 2;
  }

  run(app: ApplicationFunction<never>, environ: Environ): Body | Promise<Body> {
    environ["tsgi.session"] = this.#session;
    try {
      const body = whenReturned(
        app(environ as never, (...args: Parameters<StartResponse>) => this.#start(args)),
        (body) => this.#returned(body),
      );
      if (body instanceof Promise) body.catch(() => this.#over = true);
      return body;
    } catch (error) {
      this.#over = true;
      throw error;
    }
  }

  #returned(body: Body): Body | Promise<Body> {
    if (this.#signing !== undefined) return this.#signing.then(() => body);
    return this.#started || isWhole(body) ? body : delayed(body, () => this.#signing);
  }

  #start(args: Parameters<StartResponse>): Write {
    this.#started = true;
    if (!Array.isArray(args[1])) return this.#startResponse(...args);
    if (this.#signing === undefined) {
      const after = JSON.stringify(this.#session);
      Object.freeze(this.#session);
      if (after === this.#before && !this.#due) return this.#forward(args);
      this.#signing = this.#sign(after);
      this.#signing.catch(() => {}); // who waits for it gets the error
    } else if (this.#cookie !== undefined) {
      return this.#forward(args);
    }
    this.#head = args; // a later call, with excInfo, replaces it
    const signing = this.#signing;
    return (chunk) => this.#write === undefined ? signing.then(() => this.#write?.(chunk)) : this.#write(chunk);
  }

  async #sign(json: string): Promise<void> {
    this.#cookie = await this.#save(json === "{}" ? undefined : JSON.parse(json));
    if (!this.#over) this.#write = this.#forward(this.#head as Parameters<StartResponse>);
  }

  #forward([status, headers, ...excInfo]: Parameters<StartResponse>): Write {
    const own: HeaderList = this.#cookie === undefined ? headers : [...headers, this.#cookie];
    return this.#startResponse(status, varying(own, "Cookie"), ...excInfo);
  }
}
