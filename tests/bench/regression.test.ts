/**
 * The verdict of `npm run bench:check`, on ratios made by hand.
 */

import { describe, expect, it } from "vitest";
import { interval, type Measured, regressions } from "../../bench/regression.ts";

const even = [1, 1, 1, 1, 1, 1, 1];

function one(ratios: readonly number[], workload = "tiny", runtime = "node"): Measured {
  return { runtime, workload, ratios };
}

describe("the interval of ratios", () => {
  it("is the ratio itself where all rounds agree", () => {
    expect(interval([1.1, 1.1, 1.1])).toEqual({
      mean: expect.closeTo(1.1),
      low: expect.closeTo(1.1),
      high: expect.closeTo(1.1),
    });
  });

  it("takes a half and a double for no difference", () => {
    expect(interval([0.5, 2, 0.5, 2]).mean).toBeCloseTo(1);
  });

  it("is that of Student's t distribution", () => {
    // Logarithms with mean 0 and standard deviation 0.01: the half width is 2.447 * 0.01 / sqrt(7).
    const logs = [-1, -1, -1, 0, 1, 1, 1].map((step) => step * 0.01);
    const { low, high } = interval(logs.map(Math.exp));
    expect(Math.log(high)).toBeCloseTo(2.447 * 0.01 / Math.sqrt(7), 6);
    expect(Math.log(low)).toBeCloseTo(-2.447 * 0.01 / Math.sqrt(7), 6);
  });
});

describe("the verdict", () => {
  it.each([
    { name: "nothing has changed", measured: [one(even)], count: 0 },
    { name: "all is faster", measured: [one([0.8, 0.8, 0.81, 0.79, 0.8, 0.8, 0.8])], count: 0 },
    { name: "noise around 1", measured: [one([1.1, 0.9, 1.08, 0.93, 1.02, 0.98, 1])], count: 0 },
    {
      name: "one workload is 5 % slower, others make up for it",
      count: 1,
      measured: [
        one([1.05, 1.05, 1.051, 1.049, 1.05, 1.05, 1.05]),
        one([0.9, 0.9, 0.9, 0.91, 0.9, 0.9, 0.9], "trace"),
      ],
    },
    {
      name: "each workload is 2.5 % slower",
      count: 1,
      measured: [
        one([1.025, 1.03, 1.02, 1.025, 1.025, 1.025, 1.025]),
        one([1.025, 1.03, 1.02, 1.025, 1.025, 1.025, 1.025], "trace"),
      ],
    },
    { name: "one runtime alone is slower", count: 1, measured: [one(even), one(even.map(() => 1.025), "tiny", "bun")] },
  ])("$name: $count", ({ measured, count }) => {
    expect(regressions(measured)).toHaveLength(count);
  });
});
