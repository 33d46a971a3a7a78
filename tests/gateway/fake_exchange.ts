/**
 * Tests the gateway without a wire: an Exchange that records its calls, and `call`, which runs an application on it.
 *
 * `calls` holds every call in order and in words, so that a test compares one array: `["head 200 OK", "body a",
 * "end"]`. A call that no wire may get (a second head, an empty block, anything after the end) is recorded as a
 * violation. Nothing here names a runtime: the tests under Deno use it too.
 *
 * @module
 */

import { bytesOf } from "../../core/gateway/response_body.ts";
import { asFunction } from "../../core/contract/application.ts";
import { requestEnviron, serverTemplate } from "../../core/contract/environ.ts";
import { Background } from "../../core/gateway/gateway.ts";
import { ErrorStream } from "../../core/contract/error_stream.ts";
import { type Gateway } from "../../core/gateway/gateway.ts";
import { Invocation } from "../../core/gateway/invocation.ts";
import { RequestError } from "../../core/contract/tsgi_request.ts";
import { RequestBody } from "../../core/contract/request_body.ts";
import type { Application, Environ } from "../../core/contract/types.ts";
import type { Exchange, HeaderList, Octets, RawSocket, ResponseHead } from "../../core/seams.ts";

/** An Exchange that records its calls. */
export class FakeExchange implements Exchange {
  /** Every call in order, in words. */
  readonly calls: string[] = [];
  /** Every block of the body. */
  readonly blocks: Uint8Array[] = [];
  /** The head. */
  sent: ResponseHead | undefined;
  /** The argument of `abort`. */
  error: unknown;
  /** The result of `body`. False plays a slow client. */
  flow = true;
  /** The result of `upgrade`. Without it `upgrade` throws. */
  socket: RawSocket | undefined;
  #state: "new" | "head" | "over" = "new";

  head(head: ResponseHead, length: number | null, bodyless: boolean): void {
    this.#record(
      "new",
      `head ${head.status}${length === null ? "" : ` length ${length}`}${bodyless ? " bodyless" : ""}`,
    );
    this.#state = "head";
    this.sent = head;
  }

  body(block: Octets): boolean {
    const bytes = bytesOf(block);
    const text = bytes.length > 40 ? `${bytes.length} bytes` : new TextDecoder().decode(bytes);
    this.#record("head", bytes.length > 0 ? `body ${text}` : "VIOLATION: an empty block");
    this.blocks.push(bytes);
    return this.flow;
  }

  end(): void {
    this.#record("head", "end");
    this.#state = "over";
  }

  abort(error: unknown): void {
    this.#record("head", "abort");
    this.#state = "over";
    this.error = error;
  }

  refuse(status: string): void {
    this.#record("new", `refuse ${status}`);
    this.#state = "over";
  }

  informational(status: string, headers: readonly (readonly [string, string])[]): void {
    this.#record("new", `informational ${status} ${JSON.stringify(headers)}`);
  }

  upgrade(headers: HeaderList | null): RawSocket {
    if (this.socket === undefined) throw new RequestError("upgrade: there is no socket here");
    this.#record("new", headers === null ? "upgrade raw" : `upgrade ${JSON.stringify(headers)}`);
    this.#state = "over";
    return this.socket;
  }

  #record(expected: string, words: string): void {
    this.calls.push(this.#state === expected ? words : `VIOLATION: ${words} in state ${this.#state}`);
  }
}

/** The options of a call. */
export interface Setup {
  /** Whether the client is quick enough from the start. Default true. */
  readonly flow?: boolean;
  /** The request body. Default: none. */
  readonly body?: RequestBody;
  /** Makes `upgrade` succeed. */
  readonly socket?: RawSocket;
  readonly limitReadline?: number;
  readonly writeBufferLimit?: number;
  /** Receives the log instead of `log`. */
  readonly errorLog?: (text: string) => void;
  /** Whether the test calls `invocation.run()` itself. */
  readonly later?: boolean;
}

/** A call under way. */
export interface Called {
  readonly invocation: Invocation;
  readonly exchange: FakeExchange;
  readonly environ: Environ;
  /** The texts of `wsgi.errors`. */
  readonly log: readonly string[];
  /** How often the gateway asked for a later turn. */
  readonly turns: () => number;
  /** Makes the client quick again, and calls `drained`. */
  readonly drain: () => void;
}

/** Calls an application of any form, with a GET of `/path?query` unless `environ` says otherwise. */
export function call(app: Application, environ: Partial<Environ> = {}, setup: Setup = {}): Called {
  const log: string[] = [];
  let turns = 0;
  const gateway: Gateway = {
    app: asFunction(app),
    errors: new ErrorStream(setup.errorLog ?? ((text) => log.push(text))),
    limitReadline: setup.limitReadline ?? 65536,
    writeBufferLimit: setup.writeBufferLimit ?? 1048576,
    turn: (callback) => {
      turns++;
      setTimeout(callback, 0);
    },
    background: new Background(),
  };
  const exchange = new FakeExchange();
  exchange.flow = setup.flow ?? true;
  exchange.socket = setup.socket;
  const full = Object.assign(anEnviron(gateway.errors), environ);
  const invocation = new Invocation(gateway, exchange, full, setup.body ?? RequestBody.empty());
  const drain = (): void => {
    exchange.flow = true;
    invocation.drained();
  };
  if (setup.later !== true) invocation.run();
  return { invocation, exchange, environ: full, log, turns: () => turns, drain };
}

function anEnviron(errors: ErrorStream): Environ {
  const template = serverTemplate({
    serverName: "localhost",
    serverPort: "8000",
    scheme: "http",
    multiprocess: false,
    runOnce: false,
    errors,
  });
  const target = "/path?query";
  return requestEnviron(template, { method: "GET", target, path: "/path", query: "query", protocol: "HTTP/1.1" }, "");
}

/** Waits until all pending callbacks have run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 0));
}

/** Returns what `action` throws, or a marker if it does not throw. */
export function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return NOTHING_THROWN;
}

/** The marker of {@linkcode thrownBy} if nothing was thrown. */
export const NOTHING_THROWN = "nothing was thrown";

/** A promise and the means to settle it. */
export interface Gate {
  readonly passed: Promise<void>;
  readonly open: () => void;
}

/** Makes a {@linkcode Gate}. */
export function gate(): Gate {
  let open = (): void => {};
  const passed = new Promise<void>((resolve) => open = resolve);
  return { passed, open: () => open() };
}
