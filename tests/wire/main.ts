/**
 * Runs the wire cases against a server that runs the echo application.
 *
 *     node tests/wire/main.ts --port P [--host H] [--only SUBSTR] [--cases FILE ...] [--jobs N] [--timeout S] [-v]
 *
 * Prints a line for each failure and, last, `N passed, N failed`. Exits with 1 if any failed, or if none ran.
 */

import process from "node:process";
import { parseArgs } from "node:util";

import { loadCases, runAll } from "./driver.ts";

const { values } = parseArgs({
  options: {
    host: { type: "string", default: "127.0.0.1" },
    port: { type: "string" },
    only: { type: "string", default: "" },
    cases: { type: "string", multiple: true },
    jobs: { type: "string", default: "8" },
    timeout: { type: "string", default: "2" },
    verbose: { type: "boolean", short: "v", default: false },
  },
});
const port = Number(values.port);
if (!(port > 0)) throw new Error(`Cannot run without --port: want a port number, got ${values.port}`);

const files = values.cases ?? ["http1.jsonl", "extended.jsonl"].map((name) => new URL(name, import.meta.url));
const cases = (await loadCases(files)).filter(({ id }) => id.includes(values.only));
const target = { host: values.host, port, timeout: Number(values.timeout) };

let failed = 0;
await runAll(cases, target, Number(values.jobs), ({ case: { id, expect, why }, reason }) => {
  if (reason !== null) {
    failed++;
    console.log(`FAIL ${id} [${expect.kind} ${expect.status.join()}]: ${reason}  # ${why}`);
  } else if (values.verbose) {
    console.log(`ok   ${id}`);
  }
});
console.log(`${cases.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 || cases.length === 0 ? 1 : 0;
