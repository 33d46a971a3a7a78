/**
 * The whole behaviour suite with all transparent middleware around every application, in a cell of each runtime.
 *
 * @module
 */

import { describe } from "vitest";
import { Cell, cellPlans } from "../behaviour/cell.ts";
import { suite } from "../behaviour/suite.ts";

const runner = "../../middleware/programs/behaviour.ts";

for (const plan of cellPlans.filter(({ name, runtime }) => name === runtime)) {
  describe(`19. ${plan.name}, through middleware`, () =>
    suite({ ...plan, runner }, () => Cell.start({ ...plan, runner })));
}
