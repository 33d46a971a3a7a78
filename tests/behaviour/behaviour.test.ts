/**
 * One behaviour suite, written once, run against every way of serving an application; behind front ends: tests/front/.
 *
 * For each cell (see cell.ts) a process is started and every case of `cases/` is run against it over raw sockets. What
 * a fetch host decides by itself is left out there, for the reason the case carries; over sockets next to nothing is,
 * and a test counts it.
 *
 * @module
 */

import { describe, expect, it } from "vitest";
import { frontPlans } from "../front/fronts.ts";
import { Cell, cellPlans } from "./cell.ts";
import { cases, suite } from "./suite.ts";
import { exclusion, namesOf } from "./trial.ts";

it("Titles are unique and every exclusion names a cell", () => {
  const titles = cases.map((one) => one.title);
  expect(titles.filter((title, i) => titles.indexOf(title) !== i)).toEqual([]);
  const names = new Set([...cellPlans, ...frontPlans].flatMap(namesOf));
  for (const one of cases) for (const name of Object.keys(one.not ?? {})) expect(names).toContain(name);
});

it("Only fetch hosts leave cases out, but for what a runtime cannot do at all", () => {
  const left = cellPlans.filter((plan) => plan.kind === "socket").flatMap((plan) =>
    cases.filter((one) => exclusion(one, plan) !== null).map((one) => `${plan.name}: ${one.title}`)
  );
  expect(left).toEqual([
    "deno: X11 a body that only the end of the connection ends (HTTP/1.0) fails with a reset: FIN would look like success",
    "deno-tls: I10 an unread body of more than 256 KiB (Transfer-Encoding): full response, then the connection closes, nothing of the body is a request",
    "deno-tls: RST before the head: the signal fires once",
  ]);
});

for (const plan of cellPlans) describe(plan.name, () => suite(plan, () => Cell.start(plan)));
