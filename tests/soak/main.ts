/**
 * The long runs, by hand:
 *
 *     npm run soak -- [PART...] [--runtime node,deno,bun] [--short]
 *
 * - `streams`: 3,000 event streams whose clients leave. No memory of them may stay in use.
 * - `command`: 20 HUPs, TTIN, TTOU and `--max-requests 200` under 100,000 requests; a worker killed every second for 30 s;
 *   a Hono application and an Express program under 20,000 requests each with 5 HUPs.
 * - `tls`: certificates exchanged by their files and by HUP under 20,000 requests.
 * - `overload`: every attack of tests/overload/attacks.ts by itself, with ten times as many connections as in the gate.
 * - `slowhttptest`: that program's four attacks with 500 connections each on a server with the default options.
 *
 * Without a part, all of them. The exit status is 1 where something was wrong. The times that `overload` allows are those of
 * a machine with nothing else to do.
 *
 * @module
 */

import { availableParallelism, loadavg } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import type { Runtime } from "../server_process.ts";
import { LONG, type PartName, partNames, parts, SHORT } from "./parts.ts";

const RUNTIMES: readonly Runtime[] = ["node", "deno", "bun"];
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { runtime: { type: "string", default: RUNTIMES.join(",") }, short: { type: "boolean", default: false } },
});

/** Members of a list that are known. Exits where one is not. */
function known<Member extends string>(what: string, asked: readonly string[], all: readonly Member[]): Member[] {
  const wrong = asked.find((one) => !(all as readonly string[]).includes(one));
  if (wrong === undefined) return asked as Member[];
  console.error(`${wrong} is no ${what}: expected ${all.join(", ")}`);
  process.exit(2);
}

const chosen: readonly PartName[] = positionals.length === 0 ? partNames : known("part", positionals, partNames);
const runtimes = known("runtime", values.runtime.split(","), RUNTIMES);
const load = (): string =>
  `load ${loadavg().map((one) => one.toFixed(1)).join(", ")} on ${availableParallelism()} cores`;

const faults: string[] = [];
for (const name of chosen) {
  for (const runtime of runtimes) {
    const before = load();
    const found = await parts[name](runtime, values.short ? SHORT : LONG, console.log);
    console.log(
      `${name} on ${runtime}: ${found.length === 0 ? "nothing was wrong" : "FAILED"}; ${before}, then ${load()}`,
    );
    for (const fault of found) console.log(`  ${fault}`);
    faults.push(...found);
  }
}
if (faults.length > 0) process.exitCode = 1;
