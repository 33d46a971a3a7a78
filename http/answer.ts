/**
 * Answers: each calls `startResponse` and returns the body, so an application is `return json(startResponse, value)`.
 *
 * Functions that read begin with `parse`, those that answer have the name of what they send.
 *
 * @module
 */

import type { HeaderList, StartResponse } from "../core/contract/types.ts";
import { describe } from "../core/errors.ts";
import { CONTROL } from "../core/grammar.ts";
import { statusLine } from "./error.ts";
import { checkHeaders, checkOptions, type OptionNames } from "./options.ts";
import { percentEncode } from "./query.ts";

/** What an answer may have besides its content. */
export interface AnswerOptions {
  /** Code, or code and reason. Default 200. */
  readonly status?: number | string;
  /** More header fields. They replace those of the function that have the same name, such as Content-Type. */
  readonly headers?: HeaderList;
}

const OPTIONS: OptionNames<AnswerOptions> = { status: true, headers: true };
const NONE: AnswerOptions = {};

/**
 * Answers with a value as JSON.
 *
 * @throws {TypeError} for a value that JSON does not have, such as undefined, a function or a circle.
 *
 * @example
 * ```ts
 * import type { Environ, StartResponse } from "tsgi";
 * import { json } from "tsgi/http";
 * import { client } from "tsgi/testing";
 * function app(_environ: Environ, startResponse: StartResponse) {
 *   return json(startResponse, { id: 7 }, { status: 201, headers: [["Location", "/todos/7"]] });
 * }
 * const response = await client(app).post("/todos");
 * console.assert(response.status === 201 && await response.text() === '{"id":7}');
 * ```
 */
export function json(startResponse: StartResponse, value: unknown, options?: AnswerOptions): string[] {
  check(startResponse, "json", "; parseJson(environ) reads a body");
  return answer("json", startResponse, "application/json", jsonText("json", value), options);
}

/**
 * The text of a value as JSON.
 *
 * @param name Name of the public function that sends it.
 * @throws {TypeError} for a value that JSON does not have.
 */
export function jsonText(name: string, value: unknown): string {
  const content: string | undefined = JSON.stringify(value);
  if (content === undefined) throw new TypeError(`${name}: expected a value that JSON has, got ${describe(value)}`);
  return content;
}

/**
 * Answers with a page. Text of others in it has to be escaped: see {@linkcode escapeHtml}.
 *
 * @example
 * ```ts
 * import type { Environ, StartResponse } from "tsgi";
 * import { escapeHtml, html, query } from "tsgi/http";
 * import { client } from "tsgi/testing";
 * function app(environ: Environ, startResponse: StartResponse) {
 *   return html(startResponse, `<h1>Hello ${escapeHtml(query(environ).get("name") ?? "you")}</h1>`);
 * }
 * console.assert(await (await client(app).get("/?name=<b>")).text() === "<h1>Hello &lt;b&gt;</h1>");
 * ```
 */
export function html(startResponse: StartResponse, content: string, options?: AnswerOptions): string[] {
  check(startResponse, "html");
  return answer("html", startResponse, "text/html; charset=utf-8", content, options);
}

/**
 * Answers with plain text.
 *
 * @example
 * ```ts
 * import type { Environ, StartResponse } from "tsgi";
 * import { text } from "tsgi/http";
 * import { client } from "tsgi/testing";
 * const app = (_environ: Environ, startResponse: StartResponse) => text(startResponse, "hello\n");
 * console.assert(await (await client(app).get("/")).text() === "hello\n");
 * ```
 */
export function text(startResponse: StartResponse, content: string, options?: AnswerOptions): string[] {
  check(startResponse, "text");
  return answer("text", startResponse, "text/plain; charset=utf-8", content, options);
}

/** What a redirect may have besides its location. */
export interface RedirectOptions {
  /** 303 (default) asks with GET, and so do 301 and 302 after a POST; 307 and 308 repeat the request as it was. */
  readonly status?: 301 | 302 | 303 | 307 | 308;
  /** More header fields. They replace those of the function that have the same name. */
  readonly headers?: HeaderList;
}

const REDIRECT_OPTIONS: OptionNames<RedirectOptions> = { status: true, headers: true };
const REDIRECTS: ReadonlySet<unknown> = new Set([301, 302, 303, 307, 308]);

/**
 * Sends the client to another URL. A location that a client chose may lead to another site: check it first.
 *
 * @param location A URL, or a path. What URLs cannot hold is percent-encoded.
 * @throws {TypeError} for a location with control characters, or another status.
 *
 * @example
 * ```ts
 * import type { Environ, StartResponse } from "tsgi";
 * import { redirect } from "tsgi/http";
 * import { client } from "tsgi/testing";
 * const app = (_environ: Environ, startResponse: StartResponse) => redirect(startResponse, "/caf\u00e9");
 * const response = await client(app).post("/");
 * console.assert(response.status === 303 && response.headers.get("Location") === "/caf%C3%A9");
 * ```
 */
export function redirect(startResponse: StartResponse, location: string, options: RedirectOptions = {}): string[] {
  check(startResponse, "redirect");
  checkOptions("redirect", options, REDIRECT_OPTIONS);
  const { status = 303, headers = [] } = options;
  checkHeaders("redirect", headers);
  if (!REDIRECTS.has(status)) {
    throw new TypeError(`redirect: expected 301, 302, 303, 307 or 308, got ${describe(status)}`);
  }
  if (typeof location !== "string" || location === "" || CONTROL.test(location)) {
    throw new TypeError(`redirect: expected a URL without control characters, got ${describe(location)}`);
  }
  const url = percentEncode(location, /[^\x21-\x7e]/gu);
  const own: HeaderList = [["Content-Type", "text/plain; charset=utf-8"], ["Location", url]];
  startResponse(statusLine(status), replacing(own, headers));
  return [`See ${url}\n`];
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * Escapes text for HTML: for what stands between tags, and for attributes in quotation marks.
 *
 * @example
 * ```ts
 * import { escapeHtml } from "tsgi/http";
 * console.assert(escapeHtml(`<a href="x">`) === "&lt;a href=&quot;x&quot;&gt;");
 * ```
 */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] as string);
}

function answer(
  name: string,
  startResponse: StartResponse,
  type: string,
  content: string,
  options: AnswerOptions | undefined,
): string[] {
  if (options !== undefined) {
    checkOptions(name, options, OPTIONS);
    checkHeaders(name, options.headers);
  }
  const { status = 200, headers } = options ?? NONE;
  const own: HeaderList = [["Content-Type", type]];
  startResponse(statusLine(status), headers === undefined ? own : replacing(own, headers));
  return [content];
}

/** The fields of an answer itself, less those that the application gives too, and then the latter. */
export function replacing(own: HeaderList, given: HeaderList): HeaderList {
  if (given.length === 0) return own;
  const names = new Set(given.map(([name]) => String(name).toLowerCase()));
  return [...own.filter(([name]) => !names.has(name.toLowerCase())), ...given];
}

/** Refuses an environ in the place of `startResponse`, which happens to users of other interfaces. */
function check(startResponse: unknown, name: string, advice: string = ""): void {
  if (typeof startResponse === "function") return;
  throw new TypeError(`${name}: expected startResponse first, got ${describe(startResponse)}${advice}`);
}
