/**
 * Runs an application over streams of your own, like `wsgiref.handlers`.
 *
 * A handler takes the CGI variables of one request, an input, an output and an error stream, and runs one application
 * with them. {@linkcode SimpleHandler} answers as an origin server (`HTTP/1.0 200 OK`), the others as a CGI program
 * (`Status: 200 OK`). To adapt a handler, override the members marked *override*, in a subclass or on one object.
 *
 * The same Invocation runs the application here and behind a socket. There is no framing: a body of unknown length ends
 * where the output ends. The result of `run` tells whether the body was complete.
 *
 * @module
 */

import { fieldLines, finalFields, httpDate, NO_OWN_FIELDS } from "../core/contract/final_fields.ts";
import { errorText } from "../core/errors.ts";
import { cgiRequest } from "../core/wires/cgi/environ.ts";
import { serializeCgiHead } from "../core/wires/cgi/response.ts";
import { Variables } from "../core/wires/cgi/variables.ts";
import { serverTemplate } from "../core/contract/environ.ts";
import { ErrorStream } from "../core/contract/error_stream.ts";
import { createGateway, type Gateway } from "../core/gateway/gateway.ts";
import type { RequestBody } from "../core/contract/request_body.ts";
import type { Application, Body, Environ, StartResponse } from "../core/contract/types.ts";
import { BAD_REQUEST, Refusal } from "../core/refusal.ts";
import type { HeaderList, ResponseHead } from "../core/seams.ts";
import { HandlerExchange } from "./handler_exchange.ts";
import { type HandlerInput, inputBody } from "./handler_input.ts";
import { Outlet } from "./handler_output.ts";
import { guessScheme } from "./util.ts";

export type { ResponseHead } from "../core/seams.ts";
export type { HandlerInput } from "./handler_input.ts";

/** CGI variables (RFC 3875 4.1), latin-1, one code unit a byte. */
export type CGIVariables = Readonly<Record<string, string | undefined>>;

/** The output stream that receives a response. */
export interface HandlerOutput {
  /**
   * Writes all of the bytes. If it returns a promise, the application waits until the promise settles.
   *
   * @throws when it cannot write. To the application this looks like a client that has left. An error that means just
   *   that (a code such as EPIPE or ECONNRESET, Deno's `BrokenPipe`) is expected; any other is logged, as CPython does.
   */
  write(bytes: Uint8Array): unknown;
}

/** The stream for error messages. */
export interface HandlerErrors {
  /** Takes text, line ends included. */
  write(text: string): unknown;
}

/** Options of a handler. */
export interface HandlerOptions {
  /** `wsgi.multithread`. Default false. */
  readonly multithread?: boolean;
  /** `wsgi.multiprocess`. Default false. */
  readonly multiprocess?: boolean;
}

/**
 * Runs an application once, as an origin server.
 *
 * @example
 * ```ts
 * import { demoApp, SimpleHandler } from "tsgi/wsgiref";
 * const sent: Uint8Array[] = [];
 * const output = { write: (bytes: Uint8Array) => void sent.push(bytes) };
 * const handler = new SimpleHandler(null, output, console.error, { REQUEST_METHOD: "GET", PATH_INFO: "/" });
 * handler.serverSoftware = "Spam/1.0";
 * console.assert(await handler.run(demoApp)); // true: the response is whole
 * const text = sent.map((bytes) => new TextDecoder().decode(bytes)).join("");
 * console.assert(text.startsWith("HTTP/1.0 200 OK\r\n") && text.includes("\r\nServer: Spam/1.0\r\n"));
 * ```
 */
export class SimpleHandler {
  /** *Override.* Whether the response begins with an HTTP status line. Otherwise it begins with CGI's `Status:`. */
  originServer = true;
  /** *Override.* Version in the status line of an origin server. */
  httpVersion: "1.0" | "1.1" = "1.0";
  /** *Override.* Value of the Server field of an origin server, and of SERVER_SOFTWARE; null for none. */
  serverSoftware: string | null = null;
  /** *Override.* `wsgi.run_once`. */
  wsgiRunOnce = false;
  /** *Override.* `wsgi.multithread`. */
  wsgiMultithread: boolean;
  /** *Override.* `wsgi.multiprocess`. */
  wsgiMultiprocess: boolean;
  /** *Override.* `wsgi.file_wrapper`; null for none, undefined for the usual one. */
  wsgiFileWrapper: Environ["wsgi.file_wrapper"] | null | undefined;
  /** *Override.* Variables for every request. Those of the request itself take precedence. */
  osEnviron: CGIVariables = {};
  /** *Override.* Status of the error response, sent when the application fails. */
  errorStatus = "500 Internal Server Error";
  /** *Override.* Header fields of the error response. */
  errorHeaders: HeaderList = [["Content-Type", "text/plain"]];
  /** *Override.* Body of the error response. */
  errorBody = "The application failed to answer this request.\n";
  /** The environ of the request, once `run` has made it. */
  environ: Environ | undefined;

  /** The request body. */
  protected readonly stdin: HandlerInput;
  /** Receives the response. */
  protected readonly stdout: HandlerOutput;
  /** Receives `wsgi.errors` and stack traces. */
  protected readonly stderr: HandlerErrors;
  /** The variables of the request. */
  protected readonly baseEnviron: CGIVariables;

  /**
   * Makes a handler for one request.
   *
   * @param stdin The request body; CONTENT_LENGTH bytes of it are read.
   * @param stdout Receives the response.
   * @param stderr Receives the text of `wsgi.errors` and stack traces. A function may be given instead of a stream.
   * @param environ CGI variables; REQUEST_METHOD is required.
   */
  constructor(
    stdin: HandlerInput,
    stdout: HandlerOutput,
    stderr: HandlerErrors | ((text: string) => void),
    environ: CGIVariables,
    options: HandlerOptions = {},
  ) {
    this.stdin = stdin;
    this.stdout = stdout;
    this.stderr = typeof stderr === "function" ? { write: stderr } : stderr;
    this.baseEnviron = environ;
    this.wsgiMultithread = options.multithread ?? false;
    this.wsgiMultiprocess = options.multiprocess ?? false;
  }

  /**
   * Runs an application: calls it, sends its response, and closes its body.
   *
   * @returns true when a complete response was sent, even an error response; false when it was cut off in the middle.
   * @throws {ApplicationError} (as a rejection) when `app` is no application.
   */
  async run(app: Application): Promise<boolean> {
    const gateway = this.#gateway(app);
    const outlet = new Outlet(
      (bytes) => this.stdout.write(bytes),
      (error) => gateway.errors.write(`tsgi: the response could not be written: ${errorText(error)}\n`),
    );
    let body: RequestBody;
    try {
      const { environ, contentLength } = this.setupEnviron();
      this.environ = environ;
      body = inputBody(this.stdin, contentLength ?? 0);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.logException(`tsgi: refused a request: ${error.status}: ${error.message}\n`);
      outlet.writeText(this.#refusal(error.status));
      return outlet.finished();
    }
    const { environ } = this;
    const format = (head: ResponseHead, length: number | null): string => this.formatHead(head, length);
    const exchange = new HandlerExchange(outlet, format, (status) => this.#refuse(status, environ, outlet));
    await exchange.run(gateway, environ, body);
    return exchange.whole && await outlet.finished();
  }

  #gateway(app: Application): Gateway {
    const limits = { limitReadline: 65536, writeBufferLimit: 1048576 };
    const errors = new ErrorStream((text) => this.logException(text));
    return createGateway(app, errors, limits, { turn: (callback) => void setTimeout(callback, 0) });
  }

  /**
   * *Override.* Makes the environ of the request.
   *
   * @throws {Refusal} when the variables do not describe a valid request.
   */
  setupEnviron(): { readonly environ: Environ; readonly contentLength: number | null } {
    const variables = new Variables();
    const all: Record<string, string | undefined> = { ...this.osEnviron, ...this.baseEnviron };
    if (this.originServer && this.serverSoftware !== null) all.SERVER_SOFTWARE ??= this.serverSoftware;
    for (const [name, value] of Object.entries(all)) if (value !== undefined) variables.add(name, value);
    if (!variables.has("REQUEST_METHOD")) throw new Refusal(BAD_REQUEST, "REQUEST_METHOD is missing");
    const template = serverTemplate({
      serverName: "localhost",
      serverPort: this.getScheme(all) === "https" ? "443" : "80",
      scheme: this.getScheme(all),
      multiprocess: this.wsgiMultiprocess,
      runOnce: this.wsgiRunOnce,
      errors: new ErrorStream((text) => void this.stderr.write(text)),
    });
    template["wsgi.multithread"] = this.wsgiMultithread;
    if (this.wsgiFileWrapper === null) delete template["wsgi.file_wrapper"];
    else template["wsgi.file_wrapper"] = this.wsgiFileWrapper ?? template["wsgi.file_wrapper"];
    return cgiRequest(template, variables, { scriptName: "", limitRequestBody: Infinity, script: true });
  }

  /** *Override.* Derives the scheme of the request from its variables. */
  getScheme(variables: CGIVariables): "http" | "https" {
    return guessScheme(variables);
  }

  /** *Override.* Logs an error of the application. The text is its stack trace, with a line end. */
  logException(text: string): void {
    this.stderr.write(text);
  }

  /** *Override.* The application that makes the error response, when the real one has failed. */
  errorOutput(_environ: Environ, startResponse: StartResponse): Body {
    startResponse(this.errorStatus, this.errorHeaders, new Error(this.errorStatus));
    return [this.errorBody];
  }

  /** *Override.* The time for the Date field of an origin server, in milliseconds since 1970. */
  now(): number {
    return Date.now();
  }

  /** *Override.* Formats a response head, final empty line included. `length` is that of the body; null is unknown. */
  formatHead(head: ResponseHead, length: number | null): string {
    if (!this.originServer) return serializeCgiHead(head, length);
    const own = { ...NO_OWN_FIELDS, date: httpDate(this.now()), server: this.serverSoftware ?? "" };
    const fields = finalFields(head, length, own);
    // The server's own fields come first, as in CPython's handlers.
    const added = fields.slice(head.headers.length).filter(([name]) => name !== "Content-Length");
    const rest = fields.filter((field) => !added.includes(field));
    return `HTTP/${this.httpVersion} ${head.status}\r\n${fieldLines([...added, ...rest])}\r\n`;
  }

  /** Makes a complete response that states only its status. */
  #refusal(status: string): string {
    const body = `${status}\n`;
    const headers: HeaderList = [["Content-Type", "text/plain; charset=utf-8"]];
    const facts = { contentLength: null, hasDate: false, hasServer: false };
    return this.formatHead({ status, code: Number(status.slice(0, 3)), headers, ...facts }, body.length) + body;
  }

  /** Sends the response of `errorOutput`, or an error's own status. Resolves to whether it is complete. */
  async #refuse(status: string, environ: Environ, outlet: Outlet): Promise<boolean> {
    if (!status.startsWith("500")) {
      outlet.writeText(this.#refusal(status));
      return true;
    }
    const format = (head: ResponseHead, length: number | null): string => this.formatHead(head, length);
    const second = new HandlerExchange(outlet, format, (again) => {
      outlet.writeText(this.#refusal(again));
      return Promise.resolve(true);
    });
    const gateway = this.#gateway((environ, startResponse) => this.errorOutput(environ, startResponse));
    await second.run(gateway, environ, inputBody(null, 0));
    return second.whole;
  }
}

/**
 * Runs an application once, as a CGI program over any streams (RFC 3875). The response begins with `Status:`.
 *
 * @example
 * ```ts
 * import { BaseCGIHandler } from "tsgi/wsgiref";
 * let sent = "";
 * const output = { write: (bytes: Uint8Array) => void (sent += new TextDecoder().decode(bytes)) };
 * const variables = { REQUEST_METHOD: "POST", CONTENT_LENGTH: "4", SCRIPT_NAME: "/cgi", PATH_INFO: "" };
 * const handler = new BaseCGIHandler(new TextEncoder().encode("spam"), output, () => {}, variables);
 * await handler.run(async (environ, startResponse) => {
 *   startResponse("200 OK", []);
 *   return [await environ["wsgi.input"].read()];
 * });
 * console.assert(sent === "Status: 200 OK\r\nContent-Length: 4\r\n\r\nspam");
 * ```
 */
export class BaseCGIHandler extends SimpleHandler {
  /** False: the response begins with `Status:`. */
  override originServer = false;
}

/**
 * A {@linkcode BaseCGIHandler} for a program that is started for each request: `wsgi.run_once` and `wsgi.multiprocess`
 * are true. For the standard streams, use `tsgi/cgi`.
 *
 * @example
 * ```ts
 * import { CGIHandler } from "tsgi/wsgiref";
 * const handler = new CGIHandler(null, { write: () => {} }, () => {}, { REQUEST_METHOD: "GET", PATH_INFO: "/" });
 * await handler.run((_environ, startResponse) => {
 *   startResponse("204 No Content", []);
 *   return [];
 * });
 * console.assert(handler.environ?.["wsgi.run_once"] === true);
 * ```
 */
export class CGIHandler extends BaseCGIHandler {
  /** True. */
  override wsgiRunOnce = true;
  /** False. */
  override wsgiMultithread = false;
  /** True. */
  override wsgiMultiprocess = true;
}

/**
 * A {@linkcode CGIHandler} for Microsoft's IIS, which repeats SCRIPT_NAME at the beginning of PATH_INFO.
 *
 * @example
 * ```ts
 * import { IISCGIHandler } from "tsgi/wsgiref";
 * const variables = { REQUEST_METHOD: "GET", SCRIPT_NAME: "/app.exe", PATH_INFO: "/app.exe/spam" };
 * const handler = new IISCGIHandler(null, { write: () => {} }, () => {}, variables);
 * await handler.run((_environ, startResponse) => {
 *   startResponse("204 No Content", []);
 *   return [];
 * });
 * console.assert(handler.environ?.PATH_INFO === "/spam");
 * ```
 */
export class IISCGIHandler extends CGIHandler {
  /** Takes the arguments of any CGI handler, and removes SCRIPT_NAME from PATH_INFO. */
  constructor(
    stdin: HandlerInput,
    stdout: HandlerOutput,
    stderr: HandlerErrors | ((text: string) => void),
    environ: CGIVariables,
  ) {
    const { SCRIPT_NAME: script = "", PATH_INFO: path = "" } = environ;
    const repeated = script !== "" && `${path}/`.startsWith(`${script}/`);
    super(stdin, stdout, stderr, repeated ? { ...environ, PATH_INFO: path.slice(script.length) } : environ);
  }
}
