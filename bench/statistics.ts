/**
 * Statistics of alternating runs.
 *
 * The speed of a shared machine changes from minute to minute, so figures from different times cannot be compared. In
 * each round the servers run one after the other, and the ratio is computed within the round. The result is the median
 * of the ratios, with the minimum and the maximum.
 *
 * @module
 */

/** A median with the minimum and the maximum. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The median: the middle value, or the mean of the two middle values. NaN if there are none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/** The median, minimum and maximum. */
export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** The spread of the ratios `ours[i] / theirs[i]`. */
export function ratios(ours: readonly number[], theirs: readonly number[]): Spread {
  return spread(ours.map((value, i) => value / theirs[i]!));
}

/** Formats a spread: the median, then the range. */
export function ranged({ median, min, max }: Spread): string {
  return `${short(median)} (${short(min)}-${short(max)})`;
}

/** Formats a number with about three significant digits. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toFixed(digits);
}
