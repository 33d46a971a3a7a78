/**
 * Peak resident memory of large transfers with a slow side, against a bare sink or source on the same socket API:
 *
 *     node tests/lifecycle/memory.ts [--mib 1024] [--cell node,deno,...]
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { cells, mib } from "./cell.ts";
import { directions, measure, verdict } from "./transfer.ts";

const { values } = parseArgs({ options: { mib: { type: "string", default: "1024" }, cell: { type: "string" } } });
const names = values.cell?.split(",");
const amount = Number(values.mib);
const row = (columns: readonly string[]): void => console.log(`| ${columns.join(" | ")} |`);

row(["cell", "direction", `ours, ${amount} MiB`, `ours, ${2 * amount} MiB`, "bare", "ours - bare", "verdict"]);
row(["---", "---", "--:", "--:", "--:", "--:", "---"]);
for (const plan of cells) {
  if (names?.includes(plan.name) === false) continue;
  for (const direction of directions) {
    const figures = await measure(plan, direction, amount * 1048576);
    const { once, twice, bare } = figures;
    const fault = verdict(figures);
    row([plan.name, direction, mib(once), mib(twice), mib(bare), mib(once - bare), fault === "" ? "good" : fault]);
    if (fault !== "") process.exitCode = 1;
  }
}
