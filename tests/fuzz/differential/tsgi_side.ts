/**
 * Runs bytes through tsgi's HTTP/1.1 connection, without sockets.
 *
 * @module
 */

import { Http1Connection } from "../../../core/wires/http1/connection.ts";
import { HeadModels } from "../../../core/wires/http1/head_models.ts";
import { Bench } from "../drive.ts";
import type { Observation, ObservedRequest } from "./observation.ts";

/** Most fields of a request, so that no input reaches the limit. */
export const FIELDS = 10_000;

const bench = new Bench(
  (transport, config) => new Http1Connection(transport, config, new HeadModels()),
  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
  { limitRequestFields: FIELDS },
);

/** What tsgi makes of a stream. */
export async function observeTsgi(bytes: Uint8Array): Promise<Observation> {
  const { seen, log, ending } = await bench.run([bytes], false);
  const requests = seen.map(({ environ, body }) => requestOf(environ, body));
  return observationOfTsgi(requests, log, ending !== "open");
}

/** A request from its environ and its body, which may be the name of an error. */
export function requestOf(environ: Readonly<Record<string, unknown>>, body: string): ObservedRequest {
  const fields = Object.entries(environ).filter(([key]) => /^(?:HTTP_|CONTENT_(?:TYPE|LENGTH)$)/.test(key));
  return {
    method: String(environ.REQUEST_METHOD),
    target: String(environ.REQUEST_URI),
    version: String(environ.SERVER_PROTOCOL).slice("HTTP/".length),
    fields: Object.fromEntries(fields) as Record<string, string>,
    body: /^[A-Z]\w+Error$/.test(body) ? null : body,
    trailers: [],
  };
}

/** The observation; the log says why a request was refused. */
export function observationOfTsgi(requests: readonly ObservedRequest[], log: string, closed: boolean): Observation {
  const [, status = "0", reason = ""] = /refused a request from \S+: ([0-9]{3})[^:\n]*: (.*)/.exec(log) ?? [];
  return { requests, reason, status: Number(status), closed };
}
