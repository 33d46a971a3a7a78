/**
 * Reading requests and writing answers: query, cookies, forms, JSON, negotiation, redirects, server-sent events.
 *
 * These are functions, no framework: each is of use alone, and a bundler drops those that are not imported. What reads
 * begins with `parse` or says what it gets. What answers takes `startResponse`, and returns the body. What a client sent
 * and cannot be used is an {@linkcode HttpError} with a status.
 *
 * @example
 * ```ts
 * import type { Environ, StartResponse } from "tsgi";
 * import { html, parseForm, redirect, setCookie } from "tsgi/http";
 * import { client } from "tsgi/testing";
 * async function app(environ: Environ, startResponse: StartResponse) {
 *   if (environ.REQUEST_METHOD !== "POST") {
 *     return html(startResponse, '<form method="post"><input name="user"><button>Log in</button></form>');
 *   }
 *   const user = String((await parseForm(environ)).get("user"));
 *   return redirect(startResponse, "/", { headers: [setCookie("user", user, { maxAge: 3600 })] });
 * }
 * const response = await client(app).post("/", { form: { user: "ann" } });
 * console.assert(response.status === 303 && response.headers.get("Set-Cookie")?.startsWith("user=ann; "));
 * ```
 *
 * @module
 */

export { type AnswerOptions, escapeHtml, html, json, redirect, type RedirectOptions, text } from "./answer.ts";
export { type BodyEnviron, type JsonLimits, parseJson } from "./body.ts";
export { type CookieOptions, type Cookies, parseCookies, setCookie } from "./cookies.ts";
export { HttpError, type HttpErrorOptions, statusLine } from "./error.ts";
export { type EventSourceLike, eventStream, type EventStreamOptions, type ServerSentEvent } from "./event_stream.ts";
export { formParts, parseForm } from "./form.ts";
export { negotiate, type RequestFields } from "./media_type.ts";
export { type FormLimits, FormPart } from "./multipart.ts";
export { query } from "./query.ts";
