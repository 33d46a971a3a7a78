/**
 * Decides whether a change has made requests more expensive.
 *
 * Each round runs the change and the commit before it one after the other, so a ratio belongs to one round. The ratios
 * of a workload are averaged as logarithms, since a half and a double cancel each other. Their 95 % confidence interval
 * is that of Student's t distribution: with seven rounds the spread of the ratios is itself only an estimate.
 *
 * A workload has regressed when its whole interval lies above {@linkcode WORKLOAD_LIMIT}: noise alone does that in less
 * than one run of forty. A small loss in every workload stays within each interval, so a runtime has regressed too when
 * the geometric mean of its workloads is above {@linkcode RUNTIME_LIMIT}.
 *
 * @module
 */

/** A ratio with its 95 % confidence interval. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** The result of one workload on one runtime: for each round, the ratio of the change to the commit. */
export interface Measured {
  readonly runtime: string;
  readonly workload: string;
  readonly ratios: readonly number[];
}

/** A workload has regressed if its whole interval lies above this ratio. */
export const WORKLOAD_LIMIT = 1.03;
/** A runtime has regressed if its geometric mean is above this ratio. */
export const RUNTIME_LIMIT = 1.02;
/** The smallest number of rounds that allows a verdict. */
export const LEAST_ROUNDS = 7;

/** The 97.5 % quantiles of Student's t distribution, by degrees of freedom from 1 on. */
const QUANTILES = [
  12.706,
  4.303,
  3.182,
  2.776,
  2.571,
  2.447,
  2.365,
  2.306,
  2.262,
  2.228,
  2.201,
  2.179,
  2.16,
  2.145,
  2.131,
  2.12,
  2.11,
  2.101,
  2.093,
  2.086,
  2.08,
  2.074,
  2.069,
  2.064,
  2.06,
  2.056,
  2.052,
  2.048,
  2.045,
  2.042,
];
const NORMAL_QUANTILE = 1.96;

/** Computes the geometric mean of at least two ratios, with its confidence interval. */
export function interval(ratios: readonly number[]): Interval {
  const logs = ratios.map(Math.log);
  const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
  const variance = logs.reduce((sum, log) => sum + (log - mean) ** 2, 0) / (logs.length - 1);
  const quantile = QUANTILES[logs.length - 2] ?? NORMAL_QUANTILE;
  const half = quantile * Math.sqrt(variance / logs.length);
  return { mean: Math.exp(mean), low: Math.exp(mean - half), high: Math.exp(mean + half) };
}

/** The geometric mean of a runtime's workloads. */
export function runtimeMean(measured: readonly Measured[], runtime: string): number {
  const logs = measured.filter((one) => one.runtime === runtime).map(({ ratios }) => Math.log(interval(ratios).mean));
  return Math.exp(logs.reduce((sum, log) => sum + log, 0) / logs.length);
}

/** Describes each regression in a sentence. Empty if the change passes. */
export function regressions(measured: readonly Measured[]): string[] {
  const slower = measured.flatMap(({ runtime, workload, ratios }) => {
    const { low } = interval(ratios);
    if (low <= WORKLOAD_LIMIT) return [];
    return [`${runtime}, ${workload}: the 95 % interval begins at ${low.toFixed(3)}, above ${WORKLOAD_LIMIT}`];
  });
  const means = [...new Set(measured.map(({ runtime }) => runtime))].flatMap((runtime) => {
    const mean = runtimeMean(measured, runtime);
    return mean <= RUNTIME_LIMIT
      ? []
      : [`${runtime}: the geometric mean is ${mean.toFixed(3)}, above ${RUNTIME_LIMIT}`];
  });
  return [...slower, ...means];
}
