/**
 * Connections spread over workers: one that holds more than its share lets some go.
 *
 * Workers that share a socket race for each connection, and which of them wins depends on the runtime and on the moment;
 * a worker that was started later, in place of another, begins with none. No runtime can be told to accept less, and
 * sockets of their own (SO_REUSEPORT) would leave the connections of a worker that hangs without anybody to take them.
 * But a connection of HTTP/1.1 can be moved at the end of any response, with `Connection: close`: its client connects
 * again, and no request is lost. So each worker tells the arbiter how many it holds, the arbiter tells who has too many,
 * and that worker ends so many with the next request that they send. Idle ones stay: they are no load.
 *
 * @module
 */

import type { Connection, Host, Transport } from "../core/seams.ts";

const TOLERANCE = 0.1; // of the mean: 55/45 for two workers
const LEAST = 2; // connections above the mean that are worth the trouble
const MOST = 0.5; // of its connections that a worker lets go at a time

/** How many connections each worker is to let go, in the order of `counts`. */
export function surpluses(counts: readonly number[]): number[] {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.map((count) => {
    const above = count - mean;
    return above > Math.max(TOLERANCE * mean, LEAST) ? Math.ceil(Math.min(above, MOST * count)) : 0;
  });
}

/** What a connection that is over the limit hears. */
const NOBODY: Connection = { receive() {}, drained() {}, ended() {}, closed() {}, shutdown() {}, tick() {} };

/** The connections of one worker. */
export class Balance {
  readonly #limit: number;
  readonly #refused: () => void;
  #open = 0;
  #shed = 0;

  /**
   * Counts connections.
   *
   * @param limit How many may be open; one more is closed at once.
   * @param refused Called before one is closed for that.
   */
  constructor(limit: number = Infinity, refused: () => void = () => {}) {
    this.#limit = limit;
    this.#refused = refused;
  }

  /** How many are open. */
  get connections(): number {
    return this.#open;
  }

  /** Lets `count` connections go, each with its next request. A later call replaces an earlier one. */
  shed(count: number): void {
    this.#shed = count;
  }

  /** A host whose connections are counted here. */
  host(host: Host): Host {
    return {
      ...host,
      listen: (options, accept) => host.listen(options, (transport) => this.#admit(transport, accept)),
    };
  }

  #admit(transport: Transport, accept: (transport: Transport) => Connection): Connection {
    if (this.#open < this.#limit) return this.#counted(transport, accept(transport));
    this.#refused();
    transport.destroy();
    return NOBODY;
  }

  #counted(transport: Transport, connection: Connection): Connection {
    const counted = this.#watch(connection);
    const attach = transport.attach.bind(transport);
    // A socket that the application has taken is a connection too, but not one to let go.
    transport.attach = (next, leftover) => attach(this.#closing(next), leftover);
    return counted;
  }

  #watch(connection: Connection): Connection {
    const closing = this.#closing(connection);
    this.#open++;
    return {
      ...closing,
      receive: (bytes) => {
        if (this.#shed > 0) {
          this.#shed--;
          connection.shutdown(); // the request that begins here is the last one
        }
        connection.receive(bytes);
      },
    };
  }

  #closing(connection: Connection): Connection {
    return {
      receive: (bytes) => connection.receive(bytes),
      drained: () => connection.drained(),
      ended: () => connection.ended(),
      closed: (error) => {
        this.#open--;
        connection.closed(error);
      },
      shutdown: () => connection.shutdown(),
      tick: (now) => connection.tick(now),
    };
  }
}
