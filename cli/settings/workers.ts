/**
 * Settings: the worker processes, how many there are and when one is replaced.
 *
 * @module
 */

import { integer, seconds, withWord } from "./kinds.ts";
import { served, type ServedSettings } from "./served.ts";
import type { Topic } from "./setting.ts";

/** The settings of this topic. */
export interface WorkerSettings extends Pick<ServedSettings, "workerConnections" | "gracefulTimeout"> {
  /** The number of worker processes. */
  workers: number | "auto";
  /** Requests until a worker is replaced; 0 for no limit. */
  maxRequests: number;
  /** The most requests that are randomly added to `maxRequests`. */
  maxRequestsJitter: number;
  /** Seconds for which a worker may send no heartbeat. */
  timeout: number;
  /** Seconds that a worker has to load the application. */
  bootTimeout: number;
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
  ...served("maxConnections"),
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
  ...served("gracefulTimeout"),
};
