/**
 * One FastCGI request: it receives variables and a body, and sends STDOUT.
 *
 * `core/lifecycle/states.ts` has its states. In HEAD, PARAMS are kept as text, and STDIN is an error. In BODY, STDIN is put
 * into `wsgi.input`. All other records are ignored. If output does not flow at the end of PARAMS, the request waits in the
 * queue of the connection, and the application is called when the turn of the request comes.
 *
 * The body ends after CONTENT_LENGTH bytes, and further STDIN is ignored. If there is no length, for which nginx sends an
 * empty one, the body ends with STDIN. A request without a body ignores STDIN.
 *
 * `wsgi.errors` goes to the server's log, as on every other wire, and not to FCGI_STDERR. nginx and Apache would copy
 * FCGI_STDERR into their own logs, truncated, and without the name of the application or process.
 *
 * @module
 */

import { type CgiRequest, cgiRequest, knownEnviron } from "../cgi/environ.ts";
import { cgiRefusal, serializeCgiHead } from "../cgi/response.ts";
import { Variables, VARIABLES_LIMIT } from "../cgi/variables.ts";
import type { EnvironTemplate } from "../../contract/environ.ts";
import type { Environ } from "../../contract/types.ts";
import type { BodySource } from "../../contract/request_body.ts";
import { countedBody } from "../../lifecycle/body_decoder.ts";
import { RequestLifecycle } from "../../lifecycle/request.ts";
import { BODY, HEAD } from "../../lifecycle/states.ts";
import { BAD_REQUEST, FIELDS_TOO_LARGE, Refusal, REQUEST_TIMEOUT } from "../../refusal.ts";
import type { Exchange, Octets, ResponseHead } from "../../seams.ts";
import type { WireConfig } from "../wire.ts";
import { decodePairs } from "./pairs.ts";
import { FCGI_ABORT_REQUEST, FCGI_PARAMS, FCGI_REQUEST_COMPLETE, FCGI_STDIN, FCGI_STDOUT } from "./records.ts";
import type { RecordWriter } from "./writer.ts";

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
  /** Whether a request may write now. If not, it waits in the queue, and its `resume` is called in its turn. */
  mayWrite(request: FastcgiRequest): boolean;
  /** Pauses or resumes reading, after a change of what a body buffers or of what the application waits for. */
  regulate(): void;
  /** Whether the response that is about to end is the last one of the connection. */
  readonly isLast: boolean;
  /** Logs a refused request. `environ` builds an environ of what is known of it. */
  refused(reason: Refusal, environ: () => Environ): void;
  /** The request has written END_REQUEST and is over. */
  over(request: FastcgiRequest): void;
  /**
   * Ends the connection so that the web server can see that the last response is incomplete. Returns false if other
   * requests run on it. Then only END_REQUEST can end the response.
   */
  spoil(): boolean;
}

/** A request in the responder role. */
export class FastcgiRequest implements Exchange, BodySource {
  /** Its requestId. The web server may use it again once the request is over. */
  readonly id: number;
  readonly #owner: RequestOwner;
  readonly #life: RequestLifecycle;
  #params = ""; // the part that has arrived
  #variables: Variables | undefined; // after the end of PARAMS
  #request: CgiRequest | undefined; // after the end of PARAMS
  #headSent = false;

  /** Creates the request that BEGIN_REQUEST announced. */
  constructor(owner: RequestOwner, id: number) {
    this.#owner = owner;
    this.#life = new RequestLifecycle(owner.config, this);
    this.id = id;
  }

  /** Whether its body has buffered as much as may wait for the application. */
  get isFull(): boolean {
    return this.#life.isFull;
  }

  // Records of the web server.

  /** A record has begun. */
  recordBegins(type: number, length: number): void {
    if (this.#life.state !== HEAD) return;
    if (type === FCGI_STDIN) this.#refuse(new Refusal(BAD_REQUEST, "STDIN before the end of PARAMS"));
    else if (type === FCGI_PARAMS && this.#params.length + length > VARIABLES_LIMIT) {
      this.#refuse(new Refusal(FIELDS_TOO_LARGE, `variables of more than ${VARIABLES_LIMIT} bytes`));
    }
  }

  /** Content of a record. */
  recordContent(type: number, bytes: Uint8Array, start: number, end: number): void {
    const { state } = this.#life;
    if (type === FCGI_PARAMS && state === HEAD) this.#params += this.#owner.config.latin1(bytes, start, end);
    else if (type === FCGI_STDIN && state === BODY) this.#life.feed(bytes, start, end);
  }

  /** A record has ended. One without content ends PARAMS or STDIN. */
  recordEnds(type: number, length: number): void {
    const { state } = this.#life;
    if (type === FCGI_ABORT_REQUEST) this.#aborted();
    else if (type === FCGI_PARAMS && length === 0 && state === HEAD) this.#begin();
    else if (type === FCGI_STDIN && length === 0 && state === BODY) this.#life.inputEnded();
  }

  /** The end of PARAMS: calls the application, or lets the request wait if output does not flow. */
  #begin(): void {
    const variables = this.#variables = new Variables();
    try {
      if (!decodePairs(this.#params, variables)) {
        throw new Refusal(BAD_REQUEST, "PARAMS end inside a name-value pair");
      }
      this.#request = cgiRequest(this.#owner.template, variables, this.#owner.config);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return this.#refuse(error);
    }
    this.#params = "";
    this.#life.open(countedBody(this.#request.contentLength, this.#owner.config.limitRequestBody), false);
    if (this.#owner.mayWrite(this)) this.resume();
  }

  /** ABORT_REQUEST: the web server wants no more of the response, but still expects END_REQUEST. */
  #aborted(): void {
    this.dropped();
    this.#end(FAILURE);
  }

  /** Ends the request as if the client had left: nothing more is sent. */
  dropped(): void {
    this.#life.departed("The web server dropped the request");
  }

  // Calls by the connection.

  /** Its turn to write has come: calls the application, or lets it write more. */
  resume(): void {
    if (this.#life.running) this.#life.drained();
    else this.#life.run(this, (this.#request as CgiRequest).environ);
  }

  /** Checks the time-outs, at each tick of the server's clock. */
  tick(now: number, paused: boolean): void {
    if (this.#life.state !== HEAD) return void this.#life.tick(now, paused);
    const late = this.#life.lateHead(now, paused);
    if (late > 0) this.#refuse(new Refusal(REQUEST_TIMEOUT, `PARAMS took longer than ${late} s`));
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
    return this.#owner.mayWrite(this);
  }

  end(): void {
    this.#life.responded("the response has ended");
    this.#end(SUCCESS);
  }

  abort(_error: unknown): void {
    this.#life.responded("the response has failed");
    if (!this.#owner.spoil()) this.#end(FAILURE);
  }

  refuse(status: string): void {
    this.#life.responded("the response has failed");
    this.#headSent = true;
    const headOnly = this.#variables?.get("REQUEST_METHOD") === "HEAD";
    this.#owner.writer.text(FCGI_STDOUT, this.id, cgiRefusal(status, !headOnly));
    this.#end(FAILURE);
  }

  // Processing of a request.

  /** Refuses the request before the application was called. */
  #refuse(reason: Refusal): void {
    this.#owner.refused(reason, () => knownEnviron(this.#owner.template, this.#variables));
    this.refuse(reason.status);
  }

  #end(appStatus: number): void {
    const last = this.#owner.isLast && HEEDS_LAST.test(String(this.#request?.environ.SERVER_SOFTWARE));
    this.#owner.writer.end(this.id, this.#headSent, appStatus, FCGI_REQUEST_COMPLETE, last);
    this.#owner.over(this);
  }
}
