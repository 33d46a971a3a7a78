/**
 * Builds the environ of a request from its CGI variables (RFC 3875 4.1; PEP 3333, "environ Variables").
 *
 * The front end is trusted, so variables become environ keys unchanged. Two kinds are dropped: names with a dot, which
 * belong to the gateway, and names that programs mistake for something else (`HTTP_PROXY`). Then common errors of front
 * ends are corrected:
 *
 * - PATH_INFO. Apache's proxies and nginx's stock parameters put the whole path into SCRIPT_NAME, or send it in neither
 *   variable. A server is not a script, so the path belongs in PATH_INFO. If the application is mounted below the root,
 *   the option `scriptName` says so. A script name of `/` counts as empty.
 * - The length of the body. An empty CONTENT_LENGTH means that there is none. With an unbuffered body over SCGI, nginx
 *   sends a wrong one, but also the client's own. When a front end has decoded a chunked body, it still sends
 *   `HTTP_TRANSFER_ENCODING: chunked`, which is dropped.
 *
 * @module
 */

import { type EnvironTemplate, mount, NEVER_KEYS } from "../../contract/environ.ts";
import type { Environ } from "../../contract/types.ts";
import { DIGITS, percentDecode, TOKEN } from "../../grammar.ts";
import { BAD_REQUEST, CONTENT_TOO_LARGE, Refusal } from "../../refusal.ts";
import type { Variables } from "./variables.ts";

/** The settings that a wire needs to build a request from variables. */
export interface CgiRules {
  /** Mount point of the application, or "". */
  readonly scriptName: string;
  /** Most bytes of a body. */
  readonly limitRequestBody: number;
  /** Whether the application runs as a CGI script, addressed by its path. Then SCRIPT_NAME of the front end is right. */
  readonly script?: boolean;
}

/** A request. */
export interface CgiRequest {
  /** Its environ, without `wsgi.input` and `tsgi.request`. */
  readonly environ: Environ;
  /** Bytes of its body; null when the front end does not say. */
  readonly contentLength: number | null;
}

/**
 * Builds the environ of a request.
 *
 * @throws {Refusal} 400 without a method, or with an invalid path or length; 413 for a body that is too long.
 */
export function cgiRequest(template: EnvironTemplate, variables: Variables, rules: CgiRules): CgiRequest {
  const method = variables.get("REQUEST_METHOD");
  if (!TOKEN.test(method)) throw new Refusal(BAD_REQUEST, "REQUEST_METHOD is missing or no token");
  const contentLength = bodyLength(variables, rules);
  const own: EnvironTemplate = { ...template, SERVER_PROTOCOL: "HTTP/1.0" };
  const environ = { ...own } as Environ;
  takeVariables(environ, variables);
  for (const [name, form] of FILLED) if (!form.test(environ[name])) environ[name] = own[name] as string;
  setPaths(environ, variables, rules);
  setScheme(environ, variables);
  if (variables.get("CONTENT_TYPE") === "") delete environ.CONTENT_TYPE;
  const stated = contentLength === 0 ? saysZero(variables) : contentLength !== null;
  if (stated) environ.CONTENT_LENGTH = String(contentLength);
  else delete environ.CONTENT_LENGTH;
  return { environ, contentLength };
}

/** The environ of a refused request, for the access log. It has the variables that are known. */
export function knownEnviron(template: EnvironTemplate, variables: Variables | undefined): Environ {
  const environ = { ...template } as Environ;
  if (variables !== undefined) takeVariables(environ, variables);
  return environ;
}

function takeVariables(environ: Environ, variables: Variables): void {
  for (const [name, value] of variables) {
    if (!name.includes(".") && !NEVER_KEYS.has(name) && !SMALL_LETTER.test(name)) environ[name] = value;
  }
}

/** Variables that must exist in this form (PEP 3333). If the front end sends none, the server fills in its own value. */
const FILLED: readonly (readonly [name: "SERVER_NAME" | "SERVER_PORT" | "SERVER_PROTOCOL", form: RegExp])[] = [
  ["SERVER_NAME", /^./],
  ["SERVER_PORT", DIGITS],
  ["SERVER_PROTOCOL", /^HTTP\/[0-9](?:\.[0-9])?$/], // Apache sends INCLUDED for an include
];

/** Variables of headers have no small letters; one with small letters could be a second variable for the same header. */
const SMALL_LETTER = /^HTTP_[^]*[a-z]/;

/** Whether a length of 0 enters the environ. SCGI always sends one, so there it enters only if the client sent one too. */
function saysZero(variables: Variables): boolean {
  return variables.has("HTTP_CONTENT_LENGTH") || !variables.has("SCGI");
}

function bodyLength(variables: Variables, { limitRequestBody }: CgiRules): number | null {
  const text = variables.get("CONTENT_LENGTH");
  if (text === "") return null;
  let length = parseLength(text);
  const own = variables.get("HTTP_CONTENT_LENGTH");
  if (variables.has("SCGI") && own !== "") length = Math.max(length, parseLength(own));
  if (!Number.isSafeInteger(length) || length > limitRequestBody) {
    throw new Refusal(CONTENT_TOO_LARGE, `CONTENT_LENGTH ${length} is above the limit`);
  }
  return length;
}

function parseLength(text: string): number {
  if (!DIGITS.test(text)) throw new Refusal(BAD_REQUEST, "CONTENT_LENGTH is not a decimal number");
  return Number(text);
}

function setPaths(environ: Environ, variables: Variables, { scriptName, script }: CgiRules): void {
  const name = variables.get("SCRIPT_NAME");
  const info = variables.get("PATH_INFO");
  const misplaced = !script && !variables.has("PATH_INFO");
  const whole = (name === "/" && info.startsWith("/") ? "" : name) + info || (misplaced ? pathOf(variables) : "");
  environ.SCRIPT_NAME = misplaced || name === "/" ? "" : name;
  environ.PATH_INFO = misplaced || name === "/" ? whole : info;
  mount(environ, whole, scriptName);
  if (environ.PATH_INFO === "*" || environ.SCRIPT_NAME + environ.PATH_INFO === "") environ.PATH_INFO = "/";
  for (const key of ["SCRIPT_NAME", "PATH_INFO"] as const) {
    if (!/^(?:\/|$)/.test(environ[key])) throw new Refusal(BAD_REQUEST, `${key} does not begin with a slash`);
  }
  if (environ.REQUEST_URI === "") environ.REQUEST_URI = requestUri(environ);
  const file = variables.get("SCRIPT_FILENAME");
  if (file.startsWith("proxy:")) environ.SCRIPT_FILENAME = file.replace(PROXY, "");
}

/** The path for a front end that sends neither variable, as nginx does with its stock parameters for SCGI. */
function pathOf(variables: Variables): string {
  const uri = variables.get("REQUEST_URI");
  return variables.get("DOCUMENT_URI") || (uri.startsWith("/") ? percentDecode(uri.split("?", 1)[0] as string) : "");
}

/** The prefix that Apache's proxies put before a path: `proxy:fcgi://127.0.0.1:9000`. */
const PROXY = /^proxy:(?:[a-z]+:\/\/[^/]*)?/;

/** Builds a request target, for a front end that does not pass on the original one. */
function requestUri({ SCRIPT_NAME, PATH_INFO, QUERY_STRING }: Environ): string {
  const path = `${SCRIPT_NAME}${PATH_INFO}`.replace(
    /[^!$&'()*+,\-./0-9:;=@A-Z_a-z~]/g,
    (unit) => `%${unit.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`,
  );
  return QUERY_STRING === "" ? path : `${path}?${QUERY_STRING}`;
}

function setScheme(environ: Environ, variables: Variables): void {
  const https = variables.get("HTTPS").toLowerCase();
  const said = variables.get("UWSGI_SCHEME") || (https === "on" || https === "1" ? "https" : "") ||
    variables.get("REQUEST_SCHEME");
  if (said !== "http" && said !== "https") return;
  environ["wsgi.url_scheme"] = said;
  if (said === "https") environ.HTTPS = "on";
  else if (https === "") delete environ.HTTPS;
}
