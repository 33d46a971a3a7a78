/**
 * The Exchange of a handler of `tsgi/wsgiref`: passes a response to the handler's output.
 *
 * There is no framing. A body of unknown length ends where the output ends, so the exchange records whether the response
 * was complete.
 *
 * @module
 */

import { bytesOf } from "../core/gateway/response_body.ts";
import type { Gateway } from "../core/gateway/gateway.ts";
import { Invocation } from "../core/gateway/invocation.ts";
import type { RequestBody } from "../core/contract/request_body.ts";
import type { Environ } from "../core/contract/types.ts";
import type { Exchange, Octets, ResponseHead } from "../core/seams.ts";
import type { Outlet } from "./handler_output.ts";

/** The Exchange of a handler. */
export class HandlerExchange implements Exchange {
  /** Whether the complete response was sent. */
  whole = false;
  readonly #outlet: Outlet;
  readonly #format: (head: ResponseHead, length: number | null) => string;
  readonly #refuse: (status: string) => Promise<boolean>;
  #done: () => void = () => {};

  /** Makes an exchange. `format` formats response heads, and `refuse` sends the response for a failure. */
  constructor(
    outlet: Outlet,
    format: (head: ResponseHead, length: number | null) => string,
    refuse: (status: string) => Promise<boolean>,
  ) {
    this.#outlet = outlet;
    this.#format = format;
    this.#refuse = refuse;
  }

  /** Calls the application; resolves when the response has ended. */
  run(gateway: Gateway, environ: Environ, body: RequestBody): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#done = resolve);
    const invocation = new Invocation(gateway, this, environ, body);
    this.#outlet.onDrain = () => invocation.drained();
    this.#outlet.onGone = () => {
      invocation.departed();
      this.#done();
    };
    invocation.run();
    return ended;
  }

  /** Sends the formatted head. */
  head(head: ResponseHead, length: number | null): void {
    this.#outlet.writeText(this.#format(head, length));
  }

  /** Sends a block; returns whether the application may go on writing. */
  body(block: Octets): boolean {
    this.#outlet.write(bytesOf(block));
    return this.#outlet.flowing;
  }

  /** Ends a complete response. */
  end(): void {
    this.whole = true;
    this.#done();
  }

  /** Ends an incomplete response. */
  abort(_error: unknown): void {
    this.#done();
  }

  /** Sends the response for a failure, and ends it. */
  refuse(status: string): void {
    void this.#refuse(status).then((whole) => {
      this.whole = whole;
      this.#done();
    });
  }
}
