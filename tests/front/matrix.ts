/**
 * The matrix of cells, as text.
 *
 * @module
 */

import { cases } from "../behaviour/suite.ts";
import { exclusion } from "../behaviour/trial.ts";
import type { FrontPlan } from "./fronts.ts";

/** One line for each cell, then the reasons, numbered, with how many cases each keeps out of which cells. */
export function matrix(passed: ReadonlyMap<FrontPlan, number>): string {
  const reasons = new Map<string, number>();
  const number = (reason: string): number => {
    if (!reasons.has(reason)) reasons.set(reason, reasons.size + 1);
    return reasons.get(reason)!;
  };
  const lines = [...passed].map(([plan, count]) => {
    const left = new Map<number, number>();
    for (const one of cases) {
      const reason = exclusion(one, plan);
      if (reason !== null) left.set(number(reason), (left.get(number(reason)) ?? 0) + 1);
    }
    const total = [...left.values()].reduce((sum, n) => sum + n, 0);
    const why = [...left].map(([reason, n]) => `${n} by (${reason})`).join(", ");
    const failed = cases.length - total - count;
    return `${plan.name.padEnd(20)} ${String(count).padStart(4)} passed ${String(total).padStart(4)} left out` +
      `${failed === 0 ? "" : `  ${failed} NOT PASSED`}${why === "" ? "" : `: ${why}`}`;
  });
  return [
    `The behaviour suite, ${cases.length} cases, behind front ends:`,
    ...lines,
    "Reasons:",
    ...[...reasons].map(([reason, n]) => `  (${n}) ${reason}`),
  ].join("\n");
}
