/**
 * The behaviour suite: all cases, run against one cell.
 *
 * The cases run one after the other, so that log text can be attributed to a case. After each case the cell must still
 * run and serve (X15). If a cell cannot be started, all of its cases fail.
 *
 * @module
 */

import process from "node:process";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bodyCases } from "./cases/body.ts";
import { departureCases } from "./cases/departures.ts";
import { endingCases } from "./cases/endings.ts";
import { environCases } from "./cases/environ.ts";
import { fileWrapperCases, headCases } from "./cases/head.ts";
import { inputCases } from "./cases/input.ts";
import { startResponseCases } from "./cases/start_response.ts";
import type { CellPlan, RunningCell } from "./cell.ts";
import { type Case, exclusion, Trial } from "./trial.ts";

/** All cases. */
export const cases: readonly Case[] = [
  ...environCases,
  ...inputCases,
  ...startResponseCases,
  ...bodyCases,
  ...endingCases,
  ...departureCases,
  ...headCases,
  ...fileWrapperCases,
];

/** Whether to run only the cases that are left out. One that passes need not be left out any more. */
const LEFT_OUT = process.env["TSGI_LEFT_OUT"] === "1";

async function run(one: Case, cell: RunningCell): Promise<void> {
  const trial = await Trial.begin(cell);
  try {
    await one.check(trial);
    // X15: the server still serves. A CGI process serves one request only.
    if (cell.plan.protocol !== "cgi") expect(await trial.text("/ok")).toBe("ok");
  } finally {
    trial.end();
  }
}

/** Runs the cases that apply to a cell, and reports each that passed. */
export function suite(plan: CellPlan, start: () => Promise<RunningCell>, passed: () => void = () => {}): void {
  let cell: RunningCell | undefined;
  let failure: unknown;

  beforeAll(async () => {
    cell = await start().catch((error: unknown) => {
      failure = error;
      return undefined;
    });
  }, 60_000);

  afterAll(async () => {
    await cell?.stop();
  });

  for (const one of cases) {
    if ((exclusion(one, plan) !== null) !== LEFT_OUT) continue;
    it(one.title, async () => {
      if (cell === undefined) throw failure;
      try {
        await run(one, cell);
      } catch (error) {
        if (!cell.alive) throw new Error(`A process of cell ${plan.name} died\n${cell.report}`, { cause: error });
        if (plan.kind === "front") throw new Error(`${(error as Error).message}\n\n${cell.report}`, { cause: error });
        throw error;
      }
      passed();
    }, one.timeout ?? 20_000);
  }

  it("X15 the process is alive at the end; over sockets it wrote nothing to standard error", () => {
    expect(cell?.alive).toBe(true);
    // A fetch host reports the failure of a response stream on standard error by itself.
    if (plan.kind !== "fetch") expect(cell?.stderr).toBe("");
  });
}
