/**
 * Gives requests to threads, and keeps those that wait for one.
 *
 * A request goes to the thread that has been idle for longest. If none is idle, it waits in a queue, whose length and time
 * are limited. A thread that has sent its response gets the first request of the queue at once, though it still runs
 * `close()`: that usually takes microseconds, less than the round trip until tsgi knows. An application whose `close()`
 * takes longer gets its next request only when it has returned.
 *
 * @module
 */

import type { Call } from "./call.ts";
import type { Link } from "./link.ts";

/** What the dispatcher knows of a process. */
export interface Serving {
  /** Whether it may get requests. */
  readonly takesRequests: boolean;
  /** Whether its `close()` has been quick of late. */
  readonly eager: boolean;
  /** It gets a request. */
  begins(): void;
}

/** Limits of the queue. */
export interface QueueLimits {
  /** Requests that may wait. */
  readonly queueLimit: number;
  /** Seconds that a request may wait; 0 for any time. */
  readonly queueTimeout: number;
}

const UNAVAILABLE = "503 Service Unavailable";

/** The requests that wait and the threads that do. */
export class Dispatcher {
  readonly #limits: QueueLimits;
  readonly #multiprocess: () => boolean;
  #queue: Call[] = [];
  readonly #idle: Map<Link, Serving> = new Map(); // in the order in which they became idle

  /** A dispatcher without threads. */
  constructor(limits: QueueLimits, multiprocess: () => boolean) {
    this.#limits = limits;
    this.#multiprocess = multiprocess;
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Gives a request to a thread, now or later. */
  submit(call: Call): void {
    if (call.ended) return;
    if (this.#queue.length === 0 && this.#assign(call)) return;
    if (this.#queue.length < this.#limits.queueLimit || this.#makesRoom(call)) this.#queue.push(call);
    else this.#refuse(call, `${this.#queue.length} requests wait for a Python thread already (queueLimit)`);
  }

  /** Puts a request that was not begun first in the queue again. */
  again(call: Call): void {
    this.#queue.unshift(call);
    this.next();
  }

  /** A thread is idle. */
  idle(link: Link, serving: Serving): void {
    this.#idle.set(link, serving);
    this.next();
  }

  /** A thread has sent its response. */
  ending(link: Link, serving: Serving): void {
    if (!serving.eager || !serving.takesRequests) return;
    while (this.#queue.length > 0) {
      const call = this.#queue.shift() as Call;
      if (!call.ended) return this.#begin(call, link, serving);
    }
  }

  /** A thread takes no request any more. */
  remove(link: Link): void {
    this.#idle.delete(link);
  }

  /** Refuses requests that have waited for too long. */
  expire(now: number): void {
    const { queueTimeout } = this.#limits;
    if (queueTimeout === 0) return;
    while (this.#queue.length > 0 && now - (this.#queue[0] as Call).since >= queueTimeout * 1000) {
      this.#refuse(this.#queue.shift() as Call, `no Python thread was free for ${queueTimeout} s (queueTimeout)`);
    }
  }

  /** Fails all requests that wait. */
  refuseAll(status: string, reason: string): void {
    for (const call of this.#queue.splice(0)) call.refuse(status, reason);
  }

  /** Gives waiting requests to the threads that can take one. */
  next(): void {
    while (this.#queue.length > 0) {
      const call = this.#queue[0] as Call;
      if (!call.ended && !this.#assign(call)) return;
      this.#queue.shift();
    }
  }

  /**
   * Makes room in a full queue, if it can. Requests whose clients have left are dropped: `next` would do it in passing. If
   * there are none, a request whose client has sent FIN is refused, since that client has probably left; one that has
   * half-closed its connection reads the refusal.
   */
  #makesRoom(other: Call): boolean {
    const { length } = this.#queue;
    this.#queue = this.#queue.filter((call) => !call.ended);
    if (this.#queue.length < length) return true;
    const at = other.clientEnded ? -1 : this.#queue.findIndex((call) => call.clientEnded);
    if (at < 0) return false;
    const [call] = this.#queue.splice(at, 1) as [Call];
    this.#refuse(call, `${length} requests wait for a Python thread (queueLimit), and its client has sent FIN`);
    return true;
  }

  #refuse(call: Call, reason: string): void {
    call.refuse(UNAVAILABLE, reason, [["Retry-After", "1"]]);
  }

  #assign(call: Call): boolean {
    for (const [link, serving] of this.#idle) {
      if (!serving.takesRequests) continue;
      this.#idle.delete(link);
      this.#begin(call, link, serving);
      return true;
    }
    return false;
  }

  #begin(call: Call, link: Link, serving: Serving): void {
    serving.begins();
    link.begin(call, this.#multiprocess());
  }
}
