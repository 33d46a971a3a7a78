/**
 * Writes `docs/http-differences.md` from the classes and a run with a fixed seed.
 *
 * @module
 */

import { classes, type DifferenceClass } from "./classes.ts";
import { compareMany } from "./run.ts";

/** The page. */
export const PAGE: URL = new URL("../../../docs/http-differences.md", import.meta.url);

const SEED = 9112;
const INPUTS = 10_000;

/** The text of the page. */
export async function page(): Promise<string> {
  const { inputs, same, counts, unknown } = await compareMany(INPUTS, SEED);
  if (unknown.length > 0) throw new Error(`A difference has no class: ${JSON.stringify(unknown[0])}`);
  const sections = (["tsgi", "node", "neither"] as const).flatMap((who) => [
    `## ${TITLES[who]}`,
    "",
    ...classes.filter(({ stricter }) => stricter === who).flatMap((one) => section(one, counts.get(one.name) ?? 0)),
  ]);
  return `${head(inputs, same)}\n\n${sections.join("\n").trimEnd()}\n`;
}

const TITLES = { tsgi: "tsgi is stricter", node: "Node is stricter", neither: "The two differ otherwise" };

function head(inputs: number, same: number): string {
  return `# Differences between tsgi and node in reading HTTP/1.1

tsgi has a parser of its own. A fuzzer gives the same bytes to it and to \`node:http\` (llhttp, without \`insecureHTTPParser\`),
and compares what the application and the client see: accepted or refused, status, method, target, fields, body, trailers,
the number of requests, and whether the connection persists. Each difference has to belong to a class of this page; another
one fails the tests.

This page is generated: \`npm run docs:differences\`. The numbers are of one run with ${
    inputs.toLocaleString("en")
  } inputs,
requests and damaged requests, of which ${same.toLocaleString("en")} gave the same result; the rest count by their first
difference. \`npm run fuzz:differences\` does the same with other inputs: see [fuzzing](fuzzing.md).`;
}

function section({ name, what, rfc, why, example }: DifferenceClass, count: number): string[] {
  return [
    `### ${name}`,
    "",
    `${what} ${why}`,
    "",
    `${rfc === "-" ? "No RFC decides." : `${rfc}.`} ${count} ${count === 1 ? "input" : "inputs"}. Example: \`${
      shown(example)
    }\``,
    "",
  ];
}

/** A short input in one line of code. */
function shown(text: string): string {
  return JSON.stringify(text.replace(/^(?:\r\n){9}/, "(9 times CRLF)")).slice(1, -1).replaceAll('\\"', '"');
}
