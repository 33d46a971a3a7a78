/**
 * New connections go to idle workers, also where the application blocks its event loop.
 *
 * Workers race for each new connection. One that has accepted a connection and not yet read the request on it still
 * takes part in the race and may win the next one too. When the first request then blocks the event loop for a second,
 * the second waits for it, while another worker has nothing to do. No runtime can be told to accept nothing for a while:
 * a server that is closed gives up its descriptor for good.
 *
 * But a worker can sleep for a moment behind an accept. The next connection then goes to others, and when the worker
 * wakes up its request is there, and is run before more is accepted. That costs each such client a few milliseconds. So
 * it is done where there is something to win: for a minute after the event loop was found blocked, and for the first
 * connection after a pause, so that many connections in a row are not slowed down. Deno accepts all connections that
 * wait before it tells of one, so there it helps only against those that come later.
 *
 * @module
 */

import type { Host } from "../core/seams.ts";

const SLEEP = 10; // ms: time for another worker to wake up, also where the processors are busy
const PAUSE = 200; // ms without a new connection, after which the next one is slept behind
const BLOCKED = 50; // ms that a beat is late when the event loop was blocked
const REMEMBERED = 60_000; // ms

const cell = new Int32Array(new SharedArrayBuffer(4));

/** When this worker gives way to others. */
export class Turns {
  readonly #now: () => number;
  #blocks = false;
  #blockedAt = 0;
  #acceptedAt = -Infinity;

  /** Begins with a loop that is not blocked. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Tells by how many milliseconds a timer was late. */
  late(by: number): void {
    const now = this.#now();
    if (by >= BLOCKED) this.#blockedAt = now;
    this.#blocks = by >= BLOCKED || (this.#blocks && now - this.#blockedAt < REMEMBERED);
  }

  /** A host that gives way behind an accept. */
  host(host: Host): Host {
    return {
      ...host,
      listen: (options, accept) =>
        host.listen(options, (transport) => {
          const connection = accept(transport);
          if (this.#blocks) this.#giveWay();
          return connection;
        }),
    };
  }

  #giveWay(): void {
    if (this.#now() - this.#acceptedAt >= PAUSE) Atomics.wait(cell, 0, 0, SLEEP);
    this.#acceptedAt = this.#now();
  }
}
