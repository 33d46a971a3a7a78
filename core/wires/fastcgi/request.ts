/**
 * One FastCGI request: it receives variables and a body, and sends STDOUT.
 *
 *     state    PARAMS                  STDIN                    leaves for
 *     PARAMS   kept as text            an error: 400            RUNNING at the end of PARAMS; QUEUED when output does
 *                                                               not flow; OVER when refused
 *     QUEUED   ignored                 put into wsgi.input      RUNNING when its turn to write comes
 *     RUNNING  ignored                 put into wsgi.input      OVER when the response has ended, or was aborted
 *     OVER     ignored                 ignored                  -
 *
 * The body ends after CONTENT_LENGTH bytes, and further STDIN is ignored. If there is no length, for which nginx sends an
 * empty one, the body ends with STDIN. A request without a body ignores STDIN.
 *
 * `wsgi.errors` goes to the server's log, as on every other wire, and not to FCGI_STDERR. nginx and Apache would copy
 * FCGI_STDERR into their own logs, truncated, and without the name of the application or process.
 *
 * @module
 */

import { type CgiRequest, cgiRequest, type CgiRules, knownEnviron } from "../cgi/environ.ts";
import { cgiRefusal, serializeCgiHead } from "../cgi/response.ts";
import { Variables, VARIABLES_LIMIT } from "../cgi/variables.ts";
import type { EnvironTemplate } from "../../contract/environ.ts";
import { RequestTimeoutError } from "../../gateway/gateway.ts";
import { Invocation } from "../../gateway/invocation.ts";
import { RequestError } from "../../contract/tsgi_request.ts";
import type { Environ } from "../../contract/types.ts";
import {
  type BodySource,
  BodyTimeoutError,
  BodyTooLargeError,
  InputClosedError,
  RequestBody,
  TruncatedBodyError,
} from "../../contract/request_body.ts";
import { BAD_REQUEST, FIELDS_TOO_LARGE, Refusal, REQUEST_TIMEOUT } from "../../refusal.ts";
import type { Exchange, Octets, RawSocket, ResponseHead } from "../../seams.ts";
import { Stopwatch } from "../stopwatch.ts";
import { INPUT_MARK, type WireConfig } from "../wire.ts";
import { decodePairs } from "./pairs.ts";
import { FCGI_REQUEST_COMPLETE, FCGI_STDOUT } from "./records.ts";
import type { RecordWriter } from "./writer.ts";

const PARAMS = 0;
const QUEUED = 1;
const RUNNING = 2;
const OVER = 3;

/**
 * SERVER_SOFTWARE of web servers that close a connection themselves if a record follows the last END_REQUEST. nginx does.
 * If its configuration does not send the variable, the value is our own, so tsgi matches too. Apache always sends the
 * variable; it would take the record for the beginning of its next response.
 */
const HEEDS_LAST = /^(?:nginx|tsgi)\//;

/** Values of appStatus, like exit codes of a CGI program. */
const SUCCESS = 0;
const FAILURE = 1;

/** The connection of a request, as the request uses it. */
export interface RequestOwner {
  readonly config: WireConfig;
  readonly writer: RecordWriter;
  /** The start of its environ. */
  readonly template: EnvironTemplate;
  readonly rules: CgiRules;
  /** Whether reading from the web server is paused. */
  readonly paused: boolean;
  /** Whether a request that has just written may write more at once. If not, it has to `enqueue`. */
  mayGoOn(request: FastcgiRequest): boolean;
  /** Puts a request into the queue. The connection calls its `resume` in its turn. */
  enqueue(request: FastcgiRequest): void;
  /** Pauses or resumes reading, after a change of what a body buffers or of what the application waits for. */
  regulate(): void;
  /** Whether the response that is about to end is the last one of the connection. */
  readonly isLast: boolean;
  /** Logs a refused request. `environ` builds an environ of what is known of it. */
  refused(reason: Refusal, environ: () => Environ): void;
  /** The request has written END_REQUEST and is over. */
  over(request: FastcgiRequest): void;
  /** Ends an incomplete response so that the web server can see that it is incomplete. */
  truncated(request: FastcgiRequest): void;
}

/** A request in the responder role. */
export class FastcgiRequest implements Exchange, BodySource {
  /** Its requestId. The web server may use it again once the request is over. */
  readonly id: number;
  /** Whether it is in the queue of its owner. */
  queued = false;
  readonly #owner: RequestOwner;
  #state: number = PARAMS;
  #params = ""; // the part that has arrived
  #request: CgiRequest | undefined;
  #invocation: Invocation | undefined;
  #body: RequestBody | undefined; // after the end of PARAMS, if there is a body
  #open = false; // the body has not ended
  #received = 0; // bytes of the body
  #headSent = false;
  #input: Stopwatch | undefined; // created by the first tick, which most requests never reach
  #response: Stopwatch | undefined;

  /** Creates the request that BEGIN_REQUEST announced. */
  constructor(owner: RequestOwner, id: number) {
    this.#owner = owner;
    this.id = id;
  }

  /** Whether its body has buffered as much as may wait for the application. */
  get choked(): boolean {
    const body = this.#body;
    return this.#open && body !== undefined && !body.awaited && body.buffered >= INPUT_MARK;
  }

  // Calls for records of the web server.

  /** A record of PARAMS has begun. */
  paramsAnnounced(length: number): void {
    if (this.#state !== PARAMS || this.#params.length + length <= VARIABLES_LIMIT) return;
    this.#refuse(new Refusal(FIELDS_TOO_LARGE, `variables of more than ${VARIABLES_LIMIT} bytes`));
  }

  /** Content of PARAMS. */
  params(bytes: Uint8Array, start: number, end: number): void {
    if (this.#state === PARAMS) this.#params += this.#owner.config.latin1(bytes, start, end);
  }

  /** The end of PARAMS: calls the application, or enqueues the request if output does not flow. */
  paramsEnded(): void {
    if (this.#state !== PARAMS) return;
    const variables = new Variables();
    try {
      if (!decodePairs(this.#params, variables)) {
        throw new Refusal(BAD_REQUEST, "PARAMS end inside a name-value pair");
      }
      this.#request = cgiRequest(this.#owner.template, variables, this.#owner.rules);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return this.#refuse(error, variables);
    }
    this.#params = "";
    if (this.#request.contentLength !== 0) {
      this.#body = new RequestBody(this);
      this.#open = true;
    }
    if (this.#owner.writer.flowing) return this.#run();
    this.#state = QUEUED;
    this.#owner.enqueue(this);
  }

  /** A record of STDIN has begun. */
  stdinAnnounced(): void {
    if (this.#state === PARAMS) this.#refuse(new Refusal(BAD_REQUEST, "STDIN before the end of PARAMS"));
  }

  /** Content of STDIN. */
  stdin(bytes: Uint8Array, start: number, end: number): void {
    if (!this.#open) return;
    const body = this.#body as RequestBody;
    const declared = this.#request?.contentLength ?? null;
    const most = declared ?? this.#owner.config.limitRequestBody;
    const size = Math.min(end - start, most - this.#received);
    this.#received += size;
    body.push(bytes, start, start + size);
    if (declared === null && size < end - start) {
      this.#open = false;
      body.fail(new BodyTooLargeError(`The request body is longer than ${most} bytes`));
    } else if (this.#received === declared) {
      this.#open = false;
      body.finish();
    }
  }

  /** The end of STDIN. */
  stdinEnded(): void {
    if (!this.#open) return;
    this.#open = false;
    const declared = this.#request?.contentLength ?? null;
    if (declared === null) return this.#body?.finish();
    const missing = declared - this.#received;
    this.#body?.fail(new TruncatedBodyError(`The request body ended ${missing} bytes before its declared end`));
  }

  /** ABORT_REQUEST: the web server wants no more of the response, but still expects END_REQUEST. */
  aborted(): void {
    if (this.#state === OVER) return;
    this.departed();
    this.#end(FAILURE);
  }

  /** Ends the request as if the client had left: nothing more is sent. */
  departed(): void {
    if (this.#state === OVER) return;
    this.#state = OVER;
    this.#open = false;
    const invocation = this.#invocation;
    this.#invocation = undefined;
    this.#body?.fail(new InputClosedError("The web server dropped the request"));
    invocation?.departed();
  }

  // Calls by the connection.

  /** Its turn to write has come. */
  resume(): void {
    if (this.#state === QUEUED) this.#run();
    else this.#invocation?.drained();
  }

  /** Checks the time-outs, at each tick of the server's clock. */
  tick(now: number): void {
    const { config, paused } = this.#owner;
    if (this.#state === RUNNING) {
      const running = (this.#response ??= new Stopwatch()).waited(now, RUNNING, 0);
      if (running >= config.requestTimeout * 1000) {
        this.#invocation?.expired(new RequestTimeoutError(`No response within ${config.requestTimeout} s`));
      }
    }
    const awaited = !paused && (this.#state === PARAMS || (this.#open && this.#body?.awaited === true));
    const seconds = this.#state === PARAMS ? config.headerTimeout : config.bodyTimeout;
    const waited = (this.#input ??= new Stopwatch()).waited(now, awaited ? this.#state : OVER, this.#received);
    if (!awaited || waited < seconds * 1000) return;
    if (this.#state === PARAMS) {
      return this.#refuse(new Refusal(REQUEST_TIMEOUT, `PARAMS took longer than ${seconds} s`));
    }
    this.#open = false;
    this.#body?.fail(new BodyTimeoutError(`No byte of the request body came for ${seconds} s`));
  }

  // Calls by the request body and the invocation.

  /** The application waits for bytes of the body. */
  wanted(): void {
    this.#owner.regulate();
  }

  head(head: ResponseHead, length: number | null): void {
    this.#headSent = true;
    this.#owner.writer.text(FCGI_STDOUT, this.id, serializeCgiHead(head, length));
  }

  body(block: Octets): boolean {
    this.#owner.writer.stdout(this.id, block);
    if (this.#owner.mayGoOn(this)) return true;
    this.#owner.enqueue(this);
    return false;
  }

  end(): void {
    this.#discard("the response has ended");
    this.#end(SUCCESS);
  }

  abort(_error: unknown): void {
    this.#discard("the response has failed");
    this.#owner.truncated(this);
  }

  refuse(status: string): void {
    this.#discard("the response has failed");
    this.#sendRefusal(status, this.#request?.environ.REQUEST_METHOD === "HEAD");
  }

  informational(): void {
    // FastCGI has no interim responses.
  }

  upgrade(): RawSocket {
    throw new RequestError("upgrade: the web server has the client's socket; expected a request over HTTP/1.1");
  }

  /** Ends an incomplete response with END_REQUEST alone, because the connection stays open. */
  endIncomplete(): void {
    this.#end(FAILURE);
  }

  // Processing of a request.

  #run(): void {
    const { environ } = this.#request as CgiRequest;
    const body = this.#body ?? RequestBody.empty();
    this.#state = RUNNING;
    this.#invocation = new Invocation(this.#owner.config.gateway, this, environ, body);
    this.#invocation.run();
  }

  /** Refuses the request before the application was called. */
  #refuse(reason: Refusal, variables?: Variables): void {
    this.#owner.refused(reason, () => knownEnviron(this.#owner.template, variables));
    this.#discard("it was refused");
    this.#sendRefusal(reason.status, variables?.get("REQUEST_METHOD") === "HEAD");
  }

  #sendRefusal(status: string, headOnly: boolean): void {
    this.#headSent = true;
    this.#owner.writer.text(FCGI_STDOUT, this.id, cgiRefusal(status, !headOnly));
    this.#end(FAILURE);
  }

  #discard(reason: string): void {
    this.#state = OVER;
    this.#open = false;
    this.#params = "";
    this.#invocation = undefined;
    this.#body?.discard(reason);
  }

  #end(appStatus: number): void {
    const last = this.#owner.isLast && HEEDS_LAST.test(String(this.#request?.environ.SERVER_SOFTWARE));
    this.#owner.writer.end(this.id, this.#headSent, appStatus, FCGI_REQUEST_COMPLETE, last);
    this.#owner.over(this);
  }
}
