/**
 * Building the environ (PEP 3333, "environ Variables"; RFC 3875 4.1).
 *
 * The environ is a plain object. A template holds the keys that are the same for all requests of a server or of a
 * connection. Each request copies the template and sets the rest. Header fields become `HTTP_*` keys, so a client
 * cannot set a `wsgi.` or `tsgi.` key.
 *
 * @module
 */

import { VERSION } from "../version.ts";
import type { Peer } from "../seams.ts";
import type { ErrorStream } from "./error_stream.ts";
import { type FileLike, FileWrapper } from "./file_wrapper.ts";
import type { Environ } from "./types.ts";

/** The start of every environ of one server. Connections add the client's address to a copy. */
export type EnvironTemplate = Record<string, unknown>;

/** The facts about a server that its environs contain. */
export interface ServerFacts {
  /** Name or address of the server. */
  readonly serverName: string;
  /** Port in decimal. */
  readonly serverPort: string;
  /** `"http"` or `"https"`. */
  readonly scheme: string;
  /** Whether other processes run the same application. */
  readonly multiprocess: boolean;
  /** Whether the application is called once in this process. */
  readonly runOnce: boolean;
  /** The `wsgi.errors` stream. */
  readonly errors: ErrorStream;
}

const VERSION_OF_WSGI = Object.freeze([1, 0]); // shared by all requests

const fileWrapper = (file: FileLike, blockSize?: number): FileWrapper => new FileWrapper(file, blockSize);

/** The part of the environ that all requests of a server share. */
export function serverTemplate(facts: ServerFacts): EnvironTemplate {
  return {
    REQUEST_METHOD: "",
    SCRIPT_NAME: "",
    PATH_INFO: "",
    QUERY_STRING: "",
    REQUEST_URI: "",
    SERVER_NAME: facts.serverName,
    SERVER_PORT: facts.serverPort,
    SERVER_PROTOCOL: "",
    SERVER_SOFTWARE: `tsgi/${VERSION}`,
    ...(facts.scheme === "https" ? { HTTPS: "on" } : {}),
    "wsgi.version": VERSION_OF_WSGI,
    "wsgi.url_scheme": facts.scheme,
    "wsgi.input": undefined,
    "wsgi.errors": facts.errors,
    "wsgi.multithread": false,
    "wsgi.multiprocess": facts.multiprocess,
    "wsgi.run_once": facts.runOnce,
    "wsgi.file_wrapper": fileWrapper,
    "wsgi.input_terminated": true,
    "tsgi.request": undefined,
  };
}

/** A copy of a template with the known addresses of the two ends of a connection. Unknown parts stay absent. */
export function connectionTemplate(template: EnvironTemplate, peer: Peer): EnvironTemplate {
  const own = localTemplate(template, peer);
  if (peer.remoteAddress !== "") own.REMOTE_ADDR = peer.remoteAddress;
  if (peer.remotePort !== "") own.REMOTE_PORT = peer.remotePort;
  return own;
}

/** A copy of a template with our own address only, for a connection from a web server and not from the client. */
export function localTemplate(template: EnvironTemplate, peer: Peer): EnvironTemplate {
  const own: EnvironTemplate = { ...template };
  if (isWildcard(own.SERVER_NAME as string) && peer.localAddress !== "") own.SERVER_NAME = peer.localAddress;
  if (own.SERVER_PORT === "0" && peer.localPort !== "") own.SERVER_PORT = peer.localPort;
  return own;
}

function isWildcard(name: string): boolean {
  return name === "0.0.0.0" || name === "::" || name === "";
}

/** The parts of a request line that the environ contains. */
export interface RequestLine {
  /** Method as sent. */
  readonly method: string;
  /** Target as sent. */
  readonly target: string;
  /** Decoded path, beginning with a slash. */
  readonly path: string;
  /** Query without the `?`. */
  readonly query: string;
  /** Protocol and version: `"HTTP/1.1"`. */
  readonly protocol: string;
}

/** Copies a template and fills in the request line, splitting the path at the mount point `scriptName`. */
export function requestEnviron(template: EnvironTemplate, line: RequestLine, scriptName: string): Environ {
  const environ = { ...template } as Environ;
  environ.REQUEST_METHOD = line.method;
  environ.REQUEST_URI = line.target;
  environ.PATH_INFO = line.path;
  environ.QUERY_STRING = line.query;
  environ.SERVER_PROTOCOL = line.protocol;
  mount(environ, line.path, scriptName);
  return environ;
}

/** If a path is at or below the mount point `scriptName`, splits it there into SCRIPT_NAME and PATH_INFO. */
export function mount(environ: Environ, path: string, scriptName: string): void {
  if (scriptName === "" || !isBelow(path, scriptName)) return;
  environ.SCRIPT_NAME = scriptName;
  environ.PATH_INFO = path.slice(scriptName.length);
}

/** Whether a path is at or below a mount point. Only whole segments count: `/apple` is not below `/app`. */
function isBelow(path: string, mount: string): boolean {
  return path.startsWith(mount) && (path.length === mount.length || path.charCodeAt(mount.length) === 0x2f);
}

/** Sets the key of a header field. If the key exists, appends the value to it (RFC 3875 4.1.18). */
export function addField(environ: Environ, key: string, value: string): void {
  const present = environ[key];
  environ[key] = present === undefined ? value : joinFields(key, present as string, value);
}

/** Joins two values of a repeated header field: with a comma, or for cookies with "; " (RFC 9113 8.2.3). */
export function joinFields(key: string, first: string, second: string): string {
  return `${first}${key === "HTTP_COOKIE" ? "; " : ","}${second}`;
}

/**
 * The environ key of a header field, or null for a field that never enters the environ. `Proxy` does not enter, because
 * it would become HTTP_PROXY, which many programs read as their own configuration. Fields that describe the framing, or
 * whose key would look like one of these, do not enter either: the server has undone the framing before the application
 * sees the body.
 *
 * @example
 * ```ts
 * import { environKey } from "./environ.ts";
 * console.assert(environKey("X-Forwarded-For") === "HTTP_X_FORWARDED_FOR");
 * console.assert(environKey("content-type") === "CONTENT_TYPE" && environKey("Proxy") === null);
 * ```
 */
export function environKey(name: string): string | null {
  const upper = name.toUpperCase();
  if (upper === "CONTENT-TYPE") return "CONTENT_TYPE";
  if (upper === "CONTENT-LENGTH") return "CONTENT_LENGTH";
  const key = `HTTP_${upper.replaceAll("-", "_")}`;
  return NEVER_KEYS.has(key) ? null : key;
}

/** Keys that never enter an environ, whoever sends them. */
export const NEVER_KEYS: ReadonlySet<string> = new Set([
  "HTTP_PROXY",
  "HTTP_CONTENT_TYPE",
  "HTTP_CONTENT_LENGTH",
  "HTTP_TRANSFER_ENCODING",
]);
