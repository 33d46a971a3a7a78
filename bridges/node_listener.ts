/**
 * Applications of Node's `(req, res)` contract: Express, Koa, connect, Fastify, polka, and plain listeners.
 *
 * @module
 */

import { isThenable } from "../core/gateway/body.ts";
import type { ApplicationFunction } from "../core/gateway/types.ts";
import { Call } from "./node/call.ts";

export type { ApplicationFunction } from "../core/gateway/types.ts";

export function fromNodeListener(listener: (request: never, response: never) => unknown): ApplicationFunction {
  const listen = listener as (request: unknown, response: unknown) => unknown;
  return (environ, startResponse) => {
    const call = new Call(environ, startResponse);
    try {
      const result = listen(call.request, call.response);
      if (isThenable(result)) result.then(undefined, (error) => call.failed(error));
    } catch (error) {
      call.failed(error);
    }
    return call.result();
  };
}
