/**
 * Overload, in its short form: each attack of the table against a server on each runtime, beside a client that behaves
 * well. The server ends each connection of an attack on time and with its answer, its memory and its sockets stay within
 * bounds, the other client is served meanwhile, and nothing is left afterwards. The long form is `npm run soak -- overload`.
 *
 * The three runtimes are attacked at the same time: most of the time is waiting.
 */

import { beforeAll, describe, expect, it } from "vitest";
import { cells } from "../lifecycle/cell.ts";
import { campaign, checks, type Verdict } from "./campaign.ts";

describe.concurrent.each(cells.slice(0, 3))("$name", (plan) => {
  let verdict: Verdict;

  beforeAll(async () => {
    verdict = await campaign(plan, { unit: 1000, factor: 1, together: true }, console.log);
  }, 180_000);

  it.each(checks)("18.4 overload: %s", (name) => {
    expect(verdict.get(name)).toEqual([]);
  });
});
