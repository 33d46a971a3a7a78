/**
 * A connection that carries one request, without I/O of its own. SCGI, uwsgi and the standard streams of a CGI script
 * use it.
 *
 * A decoder reads the variables of the request from the first bytes. The next CONTENT_LENGTH bytes are the body. Then the
 * response is sent and the connection ends. `core/lifecycle/states.ts` has the states of the request. In DRAIN, which
 * only a script has, the unread rest of the body is dropped: with mod_cgid, input and output are one socket, and if unread
 * input is left in it when the process ends, the client loses the response.
 *
 * @module
 */

import { type EnvironTemplate, localTemplate } from "../../contract/environ.ts";
import type { BodySource } from "../../contract/request_body.ts";
import { countedBody } from "../../lifecycle/body_decoder.ts";
import { ConnectionLifecycle } from "../../lifecycle/connection.ts";
import { DRAIN_TIME, RequestLifecycle } from "../../lifecycle/request.ts";
import { BODY, BROKEN, DRAIN, HEAD, LOST, OVER, RECEIVED } from "../../lifecycle/states.ts";
import { Refusal, REQUEST_TIMEOUT } from "../../refusal.ts";
import type { Exchange, Octets, ResponseHead, Transport } from "../../seams.ts";
import type { WireConfig, WireConnection } from "../wire.ts";
import { cgiRequest, type CgiRules, knownEnviron } from "./environ.ts";
import type { HeadFormat } from "./response.ts";
import { BlockDecoder, type BlockFormat, type Variables } from "./variables.ts";

/** The parts in which the wires with one request per connection differ. */
export interface OneRequestWire {
  /** How the variables arrive. Absent for a CGI script, which gets them in another way: see `OneRequestConnection.start`. */
  readonly block?: BlockFormat;
  /** The format of its response heads. */
  readonly format: (config: WireConfig) => HeadFormat;
}

/** A connection for one request, and the exchange of its response. */
export class OneRequestConnection implements WireConnection, BodySource, Exchange {
  readonly #config: WireConfig;
  readonly #decoder: BlockDecoder | undefined;
  readonly #rules: CgiRules;
  readonly #template: EnvironTemplate;
  readonly #connection: ConnectionLifecycle;
  readonly #request: RequestLifecycle;
  readonly #format: HeadFormat;
  readonly #givesInput: boolean;
  #variables: Variables | undefined; // once they are complete
  #delimited = true; // the client knows the length of the response body from the head
  #drainTimer: ReturnType<typeof setTimeout> | undefined;
  #failed = false;

  /** A connection over `transport`. */
  constructor(transport: Transport, config: WireConfig, wire: OneRequestWire) {
    this.#config = config;
    const { scriptName, limitRequestBody } = config;
    this.#decoder = wire.block && new BlockDecoder(wire.block, config);
    this.#rules = { scriptName, limitRequestBody, script: wire.block === undefined };
    // With our own address, for a front end that does not send the name and port of the server.
    this.#template = localTemplate(config.template, transport.peer);
    this.#connection = new ConnectionLifecycle(transport, config);
    this.#request = new RequestLifecycle(config, this);
    this.#format = wire.format(config);
    this.#givesInput = transport.givesInput;
  }

  /** Whether the application was called. */
  get called(): boolean {
    return this.#request.count > 0;
  }

  /** Whether the response was cut short, or is a refusal, or could not be sent. */
  get failed(): boolean {
    return this.#failed;
  }

  // Calls by the host and the server.

  receive(bytes: Uint8Array): void {
    if (!this.#connection.isOpen) return;
    try {
      const at = this.#request.state === HEAD ? this.#decode(bytes) : 0;
      const { state } = this.#request;
      if ((state === BODY || state === DRAIN) && at < bytes.length) this.#request.feed(bytes, at, bytes.length);
    } catch (error) {
      this.#broken(error);
    }
    const { state } = this.#request;
    if (state === OVER || state === LOST) this.#finish();
    this.#regulate();
  }

  drained(): void {
    this.#connection.writer.drained();
    this.#request.drained();
  }

  ended(): void {
    const left = this.#request.clientEnded();
    if (this.#request.inputEnded()) return this.#finish();
    if (left) this.#connection.reset();
  }

  closed(error?: unknown): void {
    this.#connection.closed();
    clearTimeout(this.#drainTimer);
    if (error !== undefined) this.#failed = true; // not all that was written has been sent
    this.#request.departed("The client closed the connection");
    this.#config.forget(this);
  }

  /** Sends the server's own error response. */
  turnAway(status: string): void {
    this.refuse(status);
    this.#config.gateway.log?.refused(status, knownEnviron(this.#template, this.#variables));
  }

  serveOne(): void {
    // A connection has only one request anyway.
  }

  get idleOrder(): number {
    return 0; // it is never between two requests
  }

  retire(): void {
    this.#finish();
  }

  shutdown(): void {
    this.#connection.stop();
  }

  tick(now: number): void {
    if (!this.#connection.tick(now, this.#request.state === HEAD)) return;
    const left = this.#request.tick(now, this.#connection.paused);
    // The standard input of a script ends after each body whatever the client does, and its web server ends the script by
    // a signal.
    if (left && !this.#rules.script) return this.#connection.reset();
    if (this.#request.state !== HEAD) return;
    const late = this.#connection.lateHead(now, this.#decoder?.begun === true, 0);
    if (late > 0) this.#broken(new Refusal(REQUEST_TIMEOUT, `a request head took longer than ${late} s`));
  }

  // Calls by the request body and the invocation.

  /** The application waits for bytes of the body. */
  wanted(): void {
    this.#regulate();
  }

  head(head: ResponseHead, length: number | null, bodyless: boolean): void {
    this.#delimited = bodyless || length !== null;
    this.#connection.writer.copy(this.#format.head(head, length, bodyless));
  }

  body(block: Octets): boolean {
    return this.#connection.writer.block(block);
  }

  end(): void {
    this.#request.responded("the response has ended");
    if (!this.#rules.script || this.#request.state !== DRAIN) return this.#finish();
    // A script gets no ticks, so this needs a timer. Its web server limits the time of everything else.
    const seconds = Math.min(this.#config.bodyTimeout, DRAIN_TIME);
    this.#drainTimer = setTimeout(() => this.#finish(), seconds * 1000);
    this.#regulate();
  }

  abort(_error: unknown): void {
    this.#failed = true;
    this.#request.responded("the response has failed");
    if (this.#delimited) this.#finish(); // the client can see that the body is too short
    else this.#connection.reset();
  }

  refuse(status: string): void {
    this.#failed = true;
    const headOnly = this.#variables?.get("REQUEST_METHOD") === "HEAD";
    this.#connection.writer.copy(this.#format.refusal(status, !headOnly));
    this.end();
  }

  // Processing of a request.

  /** Begins with variables that come in another way: from the process environment of a CGI script. */
  start(variables: () => Variables): void {
    try {
      this.#begin(variables());
    } catch (error) {
      this.#broken(error);
    }
    this.#regulate();
  }

  #decode(bytes: Uint8Array): number {
    const decoder = this.#decoder as BlockDecoder;
    const at = decoder.decode(bytes);
    if (decoder.complete !== undefined) this.#begin(decoder.complete);
    return at;
  }

  /** Calls the application, once the variables are complete. */
  #begin(variables: Variables): void {
    this.#variables = variables;
    const { environ, contentLength } = cgiRequest(this.#template, variables, this.#rules);
    // Apache decodes a chunked body, states no length, and ends standard input after it.
    const open = this.#rules.script && variables.get("HTTP_TRANSFER_ENCODING") !== "";
    const length = open ? contentLength : contentLength ?? 0;
    this.#request.open(countedBody(length, this.#rules.limitRequestBody), this.#givesInput);
    this.#request.run(this, environ);
  }

  /** Handles a protocol error or an internal one. */
  #broken(error: unknown): void {
    const refusal = this.#connection.broken(error);
    if (refusal !== undefined) this.turnAway(refusal.status);
    else this.#failed = true;
  }

  // Flow.

  /** Pauses reading while the application is behind with its input, and resumes it. */
  #regulate(): void {
    const { state } = this.#request;
    // There is nothing behind the body on the standard input of a script.
    const ended = this.#rules.script && (state === RECEIVED || state === BROKEN);
    this.#connection.regulate(ended || this.#request.isFull);
  }

  /** Ends the connection in order. */
  #finish(): void {
    clearTimeout(this.#drainTimer);
    this.#connection.finish();
  }
}
