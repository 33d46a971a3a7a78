/**
 * Balances keep-alive connections over workers: a worker that holds more than its share closes some.
 *
 * Workers that share a socket race for each connection, and the winner depends on the runtime and on chance. A worker
 * that replaces another begins with no connections. No runtime can be told to accept fewer connections. With one socket
 * for each worker (SO_REUSEPORT), nobody would accept the connections that wait at a worker that hangs. But an HTTP/1.1
 * connection can be moved after any response, by `Connection: close`: the client connects again, and no request is
 * lost. So each worker reports to the arbiter how many connections it holds. The arbiter tells a worker with too many
 * how many to close, and its server makes the next request on so many connections the last one. Idle connections stay
 * open, since they cause no load.
 *
 * @module
 */

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
