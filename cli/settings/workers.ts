/**
 * Settings: the worker processes, how many there are and when one is replaced.
 *
 * @module
 */

import { integer, seconds, withWord } from "./kinds.ts";
import type { Topic } from "./setting.ts";

/** The settings of this topic. */
export interface WorkerSettings {
  /** How many processes serve. */
  workers: number | "auto";
  /** Connections at a time. */
  workerConnections: number;
  /** Requests until a worker is replaced. */
  maxRequests: number;
  /** At most so many more, by chance. */
  maxRequestsJitter: number;
  /** Seconds a worker may be silent. */
  timeout: number;
  /** Seconds that a worker has to load the application. */
  bootTimeout: number;
  /** Seconds that running requests have at a stop. */
  gracefulTimeout: number;
}

/** The settings of this topic. */
export const workers: Topic<WorkerSettings> = {
  workers: {
    kind: withWord(integer(1, 1024), "auto", "auto" as const),
    short: "w",
    default: 1,
    defaultText: "WEB_CONCURRENCY, else 1",
    help: "Processes that serve. `auto` is one for each processor that may be used.",
  },
  workerConnections: {
    kind: integer(1),
    default: 1000,
    help:
      "Connections that a worker holds at a time on each address. For one more, the one that has been idle between " +
      "requests for longest is closed; where none is idle, the new one is answered with 503. " +
      "Where a process may not have so many open files (`ulimit -n`), a worker holds fewer, and the log says how many.",
  },
  maxRequests: {
    kind: integer(0),
    default: 0,
    help: "Requests after which a worker is replaced; 0 never. Another one is ready before it stops, and none is lost.",
  },
  maxRequestsJitter: {
    kind: integer(0),
    default: 0,
    help: "At most so many requests more, by chance. Then the workers are not all replaced at the same time.",
  },
  timeout: {
    kind: seconds("from 0"),
    short: "t",
    default: 30,
    help: "Seconds after which a worker that does not answer is killed and replaced; 0 never. " +
      "It answers as long as its event loop runs: a slow response is no reason, an endless loop is. " +
      "The time in which the application is loaded does not count: see `--boot-timeout`.",
  },
  bootTimeout: {
    kind: seconds("from 0"),
    default: 120,
    help: "Seconds that a worker has from its start until it serves; 0 for any time. " +
      "One that takes longer is ended, as if the application did not load: at the first start that ends the command, " +
      "after HUP the old workers serve on.",
  },
  gracefulTimeout: {
    kind: seconds("from 0"),
    default: 30,
    help: "Seconds that running requests have when a worker is to stop. Then they are cut.",
  },
};
