/**
 * Refuses `node:cluster` in a worker. A program that starts processes of its own would run in workers of workers, and
 * these would listen on addresses that the command does not know.
 *
 * @module
 */

import cluster from "node:cluster";
import { ProgramError, type Restore } from "./program.ts";

/** Makes `cluster.fork()` throw. */
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
