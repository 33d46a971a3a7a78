/**
 * Leaves new connections to idle workers when the application blocks the event loop.
 *
 * Workers race for each new connection. A worker that has accepted a connection, but has not read its request yet,
 * still takes part in the race and may win the next connection too. When the first request then blocks the event loop
 * for a second, the second request waits for it, while another worker is idle. No runtime can be told to pause
 * accepting: a server that is closed gives up its descriptor for good.
 *
 * But a worker can sleep for a moment after an accept. The next connection then goes to another worker. When the
 * sleeper wakes up, its request has arrived, and it runs the request before it accepts again. The sleep costs each such
 * client a few milliseconds. So a worker sleeps only where it helps: for a minute after its event loop was found
 * blocked, and only after the first connection that follows a pause, so that a burst of connections is not slowed down.
 * Deno accepts all waiting connections before it reports one. So there the sleep only affects connections that come
 * later.
 *
 * @module
 */

import type { Connection, Host, Transport } from "../core/seams.ts";

const SLEEP = 10; // ms: enough for another worker to wake up, even on busy processors
const PAUSE = 200; // ms without a new connection, after which the worker sleeps after the next one
const BLOCKED = 50; // ms: a heartbeat that is late by this means that the event loop was blocked
const REMEMBERED = 60_000; // ms for which a blocked event loop counts

const cell = new Int32Array(new SharedArrayBuffer(4));

/** Decides when this worker sleeps to give way to others. */
export class Turns {
  readonly #now: () => number;
  #blocks = false;
  #blockedAt = 0;
  #acceptedAt = -Infinity;

  /** Assumes at first that the event loop is not blocked. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Takes the number of milliseconds by which a timer was late. */
  late(by: number): void {
    const now = this.#now();
    if (by >= BLOCKED) this.#blockedAt = now;
    this.#blocks = by >= BLOCKED || (this.#blocks && now - this.#blockedAt < REMEMBERED);
  }

  /** Wraps a host so that the worker may sleep after an accept. */
  host(host: Host): Host {
    return {
      ...host,
      listen: (options, accept, report) => {
        const polite = (transport: Transport): Connection => {
          const connection = accept(transport);
          if (this.#blocks) this.#giveWay();
          return connection;
        };
        return host.listen(options, polite, report);
      },
    };
  }

  #giveWay(): void {
    if (this.#now() - this.#acceptedAt >= PAUSE) Atomics.wait(cell, 0, 0, SLEEP);
    this.#acceptedAt = this.#now();
  }
}
