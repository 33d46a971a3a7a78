/**
 * `node:cluster`, as a worker captures it: a program that starts processes of its own would run in workers of workers, which
 * listen where the command does not know.
 *
 * @module
 */

import cluster from "node:cluster";
import { ProgramError, type Restore } from "./program.ts";

/** Refuses `cluster.fork()`. */
export function refuseCluster(): Restore {
  const { fork } = cluster;
  cluster.fork = () => {
    throw new ProgramError(
      "The program starts processes with node:cluster, as the command does with --workers: " +
        "let the program listen without node:cluster",
    );
  };
  return () => void (cluster.fork = fork);
}
