/**
 * The whole behaviour suite once more, with a validator (in its default mode) around every application: it finds fault
 * with nothing that is right, and what it finds wrong fails where it failed without it.
 *
 * The cells have the names of those of the suite, so that what a case says of a cell holds here too.
 *
 * @module
 */

import { describe } from "vitest";
import { Cell, type CellPlan, cellPlans } from "../behaviour/cell.ts";
import { suite } from "../behaviour/suite.ts";

function runnerOf({ name, kind }: CellPlan): string {
  return `../../wsgiref/cells/${name.endsWith("-node") ? "node" : kind}.ts`;
}

const validated: readonly CellPlan[] = cellPlans.map((plan) => ({ ...plan, runner: runnerOf(plan) }));

for (const plan of validated) describe(`${plan.name}, validated`, () => suite(plan, () => Cell.start(plan)));
