/**
 * One behaviour suite, written once, run against every way of serving an application.
 *
 * For each cell (see cell.ts) a process is started and every case of `cases/` is run against it over raw sockets,
 * one after the other, so that log text belongs to the case that made it. After each case the process must still
 * be alive and serve (X15). A cell that cannot be started fails all of its cases. What a fetch host decides by itself
 * is left out there, for the reason the case carries; over sockets next to nothing is, and a test counts it.
 *
 * @module
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bodyCases } from "./cases/body.ts";
import { departureCases } from "./cases/departures.ts";
import { endingCases } from "./cases/endings.ts";
import { environCases } from "./cases/environ.ts";
import { fileWrapperCases, headCases } from "./cases/head.ts";
import { inputCases } from "./cases/input.ts";
import { startResponseCases } from "./cases/start_response.ts";
import { Cell, type CellPlan, cellPlans } from "./cell.ts";
import { type Case, exclusion, Trial } from "./trial.ts";

const cases: readonly Case[] = [
  ...environCases,
  ...inputCases,
  ...startResponseCases,
  ...bodyCases,
  ...endingCases,
  ...departureCases,
  ...headCases,
  ...fileWrapperCases,
];

async function run(one: Case, cell: Cell): Promise<void> {
  const trial = await Trial.begin(cell);
  try {
    await one.check(trial);
    // X15: whatever happened, the server serves.
    expect(await trial.text("/ok")).toBe("ok");
  } finally {
    trial.end();
  }
}

function suite(plan: CellPlan): void {
  let cell: Cell | undefined;
  let failure: unknown;

  beforeAll(async () => {
    cell = await Cell.start(plan).catch((error: unknown) => {
      failure = error;
      return undefined;
    });
  }, 40_000);

  afterAll(async () => {
    await cell?.stop();
  });

  for (const one of cases) {
    if (exclusion(one, plan) !== null) continue;
    it(one.title, async () => {
      if (cell === undefined) throw failure;
      try {
        await run(one, cell);
      } catch (error) {
        if (!cell.alive) throw new Error(`The process of cell ${plan.name} died\n${cell.stderr}`, { cause: error });
        throw error;
      }
    }, one.timeout ?? 20_000);
  }

  it("X15 the process is alive at the end; over sockets it wrote nothing to standard error", () => {
    expect(cell?.alive).toBe(true);
    // A fetch host reports the failure of a response stream on standard error by itself.
    if (plan.kind === "socket") expect(cell?.stderr).toBe("");
  });
}

it("Titles are unique and every exclusion names a cell", () => {
  const titles = cases.map((one) => one.title);
  expect(titles.filter((title, i) => titles.indexOf(title) !== i)).toEqual([]);
  const names = new Set(["fetch", ...cellPlans.map((plan) => plan.name)]);
  for (const one of cases) for (const name of Object.keys(one.not ?? {})) expect(names).toContain(name);
});

it("Only fetch hosts leave cases out, but for what a runtime cannot do at all", () => {
  const left = cellPlans.filter((plan) => plan.kind === "socket").flatMap((plan) =>
    cases.filter((one) => exclusion(one, plan) !== null).map((one) => `${plan.name}: ${one.title}`)
  );
  expect(left).toEqual([
    "deno: X11 a body that only the end of the connection ends (HTTP/1.0) fails with a reset: FIN would look like success",
  ]);
});

for (const plan of cellPlans) describe(plan.name, () => suite(plan));
