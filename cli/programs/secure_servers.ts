/**
 * Refuses servers of node:https and node:http2 in a worker, which gets plain requests from the command.
 *
 * A module whose export is served may listen with them: loading them would cost every worker 20 ms and 3 MB.
 *
 * @module
 */

import type http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { listenCall, placeOf, pretend, replaceListen, servedBy } from "./node_listen.ts";
import { type Capture, ProgramError, type Restore } from "./program.ts";

/**
 * Refuses to listen with such servers. One that a program listens with behind the first is a further one, where
 * `--extra-listen` says what becomes of it.
 */
export function refuseSecureServers(capture: Capture): Restore {
  const restores = refusedServers().map(([prototype, kind]) =>
    replaceListen(prototype, function (original, args) {
      if (!capture.decided) {
        throw new ProgramError(
          `The program listens with ${kind}. A worker gets plain requests from the command: let it listen with node:http`,
        );
      }
      const call = listenCall(args);
      const served = servedBy(this);
      const isCaptured = capture.listens(`listen() with ${kind} on ${placeOf(call)}`, served);
      if (!isCaptured) return original.apply(this, args as []);
      return pretend(this as unknown as http.Server, call, () => capture.closes(served), capture);
    })
  );
  return () => restores.forEach((restore) => restore());
}

/** The prototypes of servers that a worker cannot serve, and what they speak. node:http2 does not export its own. */
function refusedServers(): (readonly [prototype: object, kind: string])[] {
  return [
    [https.Server.prototype, "TLS"],
    [Object.getPrototypeOf(http2.createSecureServer()) as object, "TLS"],
    [Object.getPrototypeOf(http2.createServer()) as object, "HTTP/2"],
  ];
}
