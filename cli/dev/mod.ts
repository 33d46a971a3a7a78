/**
 * `tsgi dev`: what a worker does besides serving.
 *
 * @module
 */

import process from "node:process";
import { isatty } from "node:tty";
import { named } from "../../core/contract/application.ts";
import type { ApplicationFunction, Environ } from "../../core/contract/types.ts";
import type { ErrorPage } from "../../core/gateway/gateway.ts";
import type { Format } from "../access_format.ts";
import type { Settings } from "../settings/mod.ts";
import { accessLine } from "./access_line.ts";
import { failurePage } from "./error_page.ts";
import { isLocal } from "./local.ts";

const WORKER_PATH = "/.well-known/tsgi/worker"; // RFC 8615
const STDOUT = 1; // the descriptor

/** What a worker does besides serving. */
export interface Development {
  /** Makes the response to a request that failed. */
  readonly errorPage: ErrorPage;
  /** Formats a line of the access log. */
  readonly accessLine: Format;
  /** Whether the access log leaves a request out: the page of an error asks each second which worker serves. */
  hides(environ: Environ): boolean;
  /** Wraps an application: `tsgi.debug` tells it who may look, and the page of an error can ask which worker serves. */
  wrap(app: ApplicationFunction): ApplicationFunction;
}

/** The parts for a worker of `tsgi dev`. */
export function development({ debugRemote }: Pick<Settings, "debugRemote">, age: number): Development {
  const worker = `${process.pid}.${age}`;
  const mayLook = (environ: Environ): boolean => debugRemote || isLocal(environ);
  return {
    errorPage: (error, environ) =>
      environ["tsgi.debug"] === true ? failurePage(error, environ, { worker, path: WORKER_PATH }) : undefined,
    accessLine: accessLine(isColoured()),
    hides: ({ PATH_INFO }) => PATH_INFO === WORKER_PATH,
    wrap: (app) =>
      named((environ, startResponse) => {
        if (!mayLook(environ)) return app(environ, startResponse);
        if (environ.PATH_INFO !== WORKER_PATH) {
          environ["tsgi.debug"] = true;
          return app(environ, startResponse);
        }
        startResponse("200 OK", [["Content-Type", "text/plain"], ["Cache-Control", "no-store"]]);
        return [worker];
      }, app.name),
  };
}

/** Whether standard output shows colours: https://no-color.org, and FORCE_COLOR as Node has it. */
function isColoured(): boolean {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "0") return true;
  return isatty(STDOUT) && TERM !== "dumb";
}
