/**
 * The connections of a server: how many there may be, and which of them have to make room for others.
 *
 * @module
 */

import { nextIdle } from "../lifecycle/connection.ts";
import type { Connection, Transport } from "../seams.ts";
import type { WireConnection } from "../wires/wire.ts";

/** The hooks by which a program that runs a server watches and limits its sockets, before any of the server's limits. */
export interface Admission {
  /** The most sockets that may be open. A further one is closed at once, without a response. */
  readonly most: number;
  /** Called before a socket is closed because of the limit. */
  refused(): void;
  /** Called when a socket has been accepted. */
  accepted(): void;
}

const LEAST_LEAVING = 64; // a small limit is no reason to cut some few clients that are told 503

/** No limit. */
export const EVERYBODY: Admission = { most: Infinity, refused() {}, accepted() {} };

/** Ignores all events of a socket that was not admitted. */
export const NOBODY: Connection = { receive() {}, drained() {}, ended() {}, closed() {}, shutdown() {}, tick() {} };

/**
 * All connections of a server, with their transports.
 *
 * A connection that was turned away or retired no longer counts, but it has its socket until its client has closed too,
 * which may take `LINGER_TIME`. As many may be in this state as may be served, or LEAST_LEAVING: otherwise a flood of
 * clients that do not close would use up the descriptors of the process in spite of the limit. Beyond that, the one that
 * has been leaving for longest is cut, since it has had the most time to read its response.
 */
export class Connections implements Iterable<[Connection, Transport]> {
  readonly #most: number;
  readonly #all = new Map<Connection, Transport>();
  readonly #leaving = new Set<Connection>(); // those that were turned away or retired and are closing
  readonly #cut = new Set<Connection>(); // those whose socket has been destroyed; their `closed` is about to come
  readonly #last = new Set<Connection>(); // those whose next request is the last, by closeAfterNext
  #lastFrom = 0; // order of the latest idle connection at the previous call of closeAfterNext

  /** Connections of which `most` are served at a time. */
  constructor(most: number) {
    this.#most = most;
  }

  /** How many there are, those included that are closing. */
  get size(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): IterableIterator<[Connection, Transport]> {
    return this.#all[Symbol.iterator]();
  }

  /** Adds a connection. */
  add(connection: Connection, transport: Transport): void {
    this.#all.set(connection, transport);
  }

  /** Removes a connection. */
  delete(connection: Connection): void {
    this.#all.delete(connection);
    this.#leaving.delete(connection);
    this.#cut.delete(connection);
    this.#last.delete(connection);
  }

  /** Turns a connection away, with `status` if its protocol has one. */
  turnAway(connection: WireConnection, status: string): void {
    this.#leave(connection);
    connection.turnAway(status);
  }

  /** Ends an idle connection if there are too many. Returns false if there are and none is idle. */
  makeRoom(): boolean {
    return this.#all.size - this.#leaving.size - this.#cut.size <= this.#most || this.#retireIdlest();
  }

  #leave(connection: Connection): void {
    this.#leaving.add(connection);
    if (this.#leaving.size <= Math.max(this.#most, LEAST_LEAVING)) return;
    const oldest = this.#leaving.values().next().value as Connection;
    this.#leaving.delete(oldest);
    this.#cut.add(oldest);
    this.#all.get(oldest)?.destroy();
  }

  /**
   * Ends the connection that has been idle between requests for longest; returns false if none is idle. The search runs
   * only when the server is full, so that there is no cost before.
   */
  #retireIdlest(): boolean {
    let idlest: WireConnection | undefined;
    for (const connection of this.#all.keys() as Iterable<Partial<WireConnection>>) {
      const order = connection.idleOrder ?? 0; // a connection after an Upgrade has none
      if (order > 0 && order < (idlest?.idleOrder ?? Infinity)) idlest = connection as WireConnection;
    }
    if (idlest === undefined) return false;
    this.#leave(idlest);
    idlest.retire();
    return true;
  }

  /**
   * Makes the next request the last one on `count` connections that had a request since the previous call. The others are
   * left alone, since an idle connection causes no load. Connections that are still open from a previous call count.
   */
  closeAfterNext(count: number): void {
    const since = this.#lastFrom;
    this.#lastFrom = nextIdle();
    let left = count;
    const others: WireConnection[] = [];
    for (const connection of this.#all.keys() as Iterable<WireConnection>) {
      const order: number | undefined = connection.idleOrder; // undefined after an Upgrade
      if (order === undefined || (order > 0 && order < since) || this.#leaving.has(connection)) continue;
      if (this.#last.has(connection)) left--;
      else others.push(connection);
    }
    for (const connection of others.slice(0, Math.max(0, left))) {
      connection.serveOne();
      this.#last.add(connection);
    }
  }
}
