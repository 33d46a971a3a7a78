/**
 * The types of a server: what a program sees of it, and what a program that runs it may add.
 *
 * @module
 */

import type { ErrorPage } from "../gateway/gateway.ts";
import type { Address } from "../seams.ts";
import type { Admission } from "./connections.ts";
import type { Stage } from "./stage.ts";

/** The options of {@linkcode Server.shutdown}. */
export interface ShutdownOptions {
  /** Seconds that running requests have before they are cut. Default: the option `gracefulTimeout`, 30. */
  readonly timeout?: number;
}

/** A server that listens, as `serve` returns it. */
export interface Server<At extends Address = Address> {
  /** The actual address, of the first listener; its port is the real one. */
  readonly address: At;
  /** The actual addresses of all listeners, in the order of the option `listen`. */
  readonly addresses: readonly Address[];
  /** Settles once the server has stopped and its last connection is gone. */
  readonly finished: Promise<void>;
  /**
   * Stops accepting connections and lets running requests finish. Idle connections may send one more request for
   * `drainIdle` seconds. At the time-out the server cuts the connections that are left. A later call with a shorter
   * time-out shortens it.
   *
   * @returns the same promise as `finished`.
   * @throws {OptionError} (as a rejection) for a time-out that is not a number from 0; nothing is stopped then.
   */
  shutdown(options?: ShutdownOptions): Promise<void>;
}

/** The parts of a server that `serve` does not set. */
export interface ServerParts {
  /** Whether connections are served at once. If not, they wait until `openUp` or `handleOne`. Default true. */
  readonly open?: boolean;
  /** The limit of open sockets. Default: none. */
  readonly admission?: Admission;
  /** Makes the response to a request that failed. Default: the status alone. */
  readonly errorPage?: ErrorPage | undefined;
  /** What each connection does before its wire. Default: what the options of the listener say. */
  readonly stage?: Stage;
}
