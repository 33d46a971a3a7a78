/**
 * Balances keep-alive connections over workers: a worker that holds more than its share closes some.
 *
 * Workers that share a socket race for each connection, and the winner depends on the runtime and on chance. A worker
 * that replaces another begins with no connections. No runtime can be told to accept fewer connections. With one socket
 * for each worker (SO_REUSEPORT), nobody would accept the connections that wait at a worker that hangs. But an HTTP/1.1
 * connection can be moved after any response, by `Connection: close`: the client connects again, and no request is
 * lost. So each worker reports to the arbiter how many connections it holds. The arbiter tells a worker with too many
 * how many to close. The worker closes a connection after the next request on it. Idle connections stay open, since
 * they cause no load.
 *
 * @module
 */

import type { Connection, Host, Transport } from "../core/seams.ts";

const TOLERANCE = 0.1; // of the mean: 55/45 for two workers
const LEAST = 2; // connections above the mean, up to which nothing is done
const MOST = 0.5; // of its connections: the most that a worker closes at a time

/** Computes how many connections each worker shall close, in the order of `counts`. */
export function surpluses(counts: readonly number[]): number[] {
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.map((count) => {
    const above = count - mean;
    return above > Math.max(TOLERANCE * mean, LEAST) ? Math.ceil(Math.min(above, MOST * count)) : 0;
  });
}

/** Ignores all events of a connection that was closed because of the limit. */
const NOBODY: Connection = { receive() {}, drained() {}, ended() {}, closed() {}, shutdown() {}, tick() {} };

/** Counts the connections of one worker, and closes some on request. */
export class Balance {
  readonly #limit: number;
  readonly #refused: () => void;
  #open = 0;
  #shed = 0;

  /**
   * Counts connections.
   *
   * @param limit How many connections may be open; a further one is closed at once.
   * @param refused Called before a connection is closed because of the limit.
   */
  constructor(limit: number = Infinity, refused: () => void = () => {}) {
    this.#limit = limit;
    this.#refused = refused;
  }

  /** How many connections are open. */
  get connections(): number {
    return this.#open;
  }

  /** Closes `count` connections, each after its next request. A later call replaces the count of an earlier one. */
  shed(count: number): void {
    this.#shed = count;
  }

  /** Wraps a host so that its connections are counted here. */
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
    // A socket that the application has taken over is still counted, but never closed by shed().
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
          connection.shutdown(); // the connection closes after the request that begins here
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
