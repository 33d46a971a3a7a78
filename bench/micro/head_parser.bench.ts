/**
 * The parser of HTTP/1.1 heads, without sockets: with models of heads, and without, which is the cost of a miss.
 *
 *     npm run bench:micro
 *
 * @module
 */

import { expect, test } from "vitest";
import { Buffer } from "node:buffer";
import { latin1With } from "../../adapters/latin1.ts";
import { HeadModels } from "../../core/wires/http1/head_models.ts";
import { HeadParser } from "../../core/wires/http1/head_parser.ts";
import { settings } from "../../core/server/options.ts";
import { requestsOf } from "./heads.ts";

const limits = settings({}, { port: undefined, errorLog: () => {} });

/** Each call parses the next of the requests. */
function parsing(requests: readonly Uint8Array[], models?: HeadModels): () => void {
  const parser = new HeadParser({ ...limits, latin1: latin1With(Buffer) }, models);
  let next = 0;
  return () => {
    const bytes = requests[next]!;
    next = (next + 1) % requests.length;
    if (parser.parse(bytes, 0, bytes.length) === undefined) throw new Error("no head");
    parser.release();
  };
}

test.for(["tiny", "browser", "rotate", "trace"])("a head of %s", async (name, { bench }) => {
  const requests = requestsOf(name);
  const results = await bench.compare(
    bench("with models", parsing(requests, new HeadModels())),
    bench("without", parsing(requests)),
  );
  expect(results).toBeDefined();
});
