/**
 * Compares tsgi's HTTP/1.1 parser with node's: `npm run fuzz:differences`. `npm run docs:differences` writes the page
 * about it.
 *
 * @module
 */

import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { PAGE, page } from "./page.ts";
import { compareMany } from "./run.ts";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "300000" },
    seed: { type: "string" },
    write: { type: "boolean", default: false },
  },
});

if (values.write) {
  writeFileSync(PAGE, await page());
  process.exit(0);
}
const seed = Number(values.seed ?? randomInt(2 ** 31));
const began = performance.now();
const { inputs, same, counts, unknown } = await compareMany(Number(values.runs), seed);
const seconds = (performance.now() - began) / 1000;
for (const [name, count] of [...counts].sort(([, a], [, b]) => b - a)) process.stdout.write(`${count} ${name}\n`);
process.stdout.write(
  `${inputs} inputs in ${seconds.toFixed(1)} s, seed ${seed}: ${same} alike, ${unknown.length} unknown\n`,
);
for (const { input, ...facts } of unknown) {
  process.stdout.write(`UNKNOWN ${JSON.stringify(input)}\n  ${JSON.stringify(facts)}\n`);
}
process.exit(unknown.length === 0 ? 0 : 1); // node's server keeps a timer
