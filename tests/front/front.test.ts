/**
 * The behaviour suite through real front ends: Apache and nginx, each protocol, each runtime.
 *
 * Four lanes, one for CGI and one for each runtime, run at the same time; in a lane one cell follows the other. At the end a matrix
 * says of each cell how many cases passed, and how many were left out for which reasons: reasons are data, beside the
 * cases, and may only be what the front end itself forbids or changes.
 *
 * @module
 */

import process from "node:process";
import { afterAll, describe, it } from "vitest";
import type { RunningCell } from "../behaviour/cell.ts";
import { suite } from "../behaviour/suite.ts";
import { FrontCell } from "./cell.ts";
import { CgiCell } from "./cgi.ts";
import { type FrontPlan, frontPlans } from "./fronts.ts";
import { matrix } from "./matrix.ts";
import { find, packages } from "./programs.ts";

/** A few cells by a part of their name, for work on one of them. */
const only = process.env["TSGI_FRONT"] ?? "";
const plans = frontPlans.filter((plan) => plan.name.includes(only));
const counts = new Map<FrontPlan, number>();

function start(plan: FrontPlan): Promise<RunningCell> {
  return plan.protocol === "cgi" ? CgiCell.start(plan) : FrontCell.start(plan);
}

function cell(plan: FrontPlan): void {
  const { program } = plan.front;
  if (find(program) === null) {
    if (process.env["CI"] !== "true") return it.skip(`the behaviour suite (there is no ${program})`, () => {});
    it("the behaviour suite", () => {
      throw new Error(`There is no ${program}, and in CI no test is skipped: apt-get install ${packages[program]}`);
    });
    return;
  }
  counts.set(plan, 0);
  suite(plan, () => start(plan), () => counts.set(plan, counts.get(plan)! + 1));
}

const laneOf = (plan: FrontPlan): string => plan.protocol === "cgi" ? "cgi" : plan.runtime;

for (const lane of new Set(plans.map(laneOf))) {
  describe.concurrent(lane, () => {
    for (const plan of plans.filter((plan) => laneOf(plan) === lane)) {
      describe(plan.name, { concurrent: false }, () => cell(plan));
    }
  });
}

afterAll(() => {
  if (counts.size > 0) console.log(matrix(counts));
});
