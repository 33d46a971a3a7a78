/**
 * The Range field: which octets of a representation the client asks for (RFC 9110 14).
 *
 * A server may ignore the field. This one does so where an answer would cost more than the whole representation, or
 * where the field is a known form of attack (RFC 9110 14.2): many ranges, or ranges that overlap.
 *
 * @module
 */

import { listMembers } from "../../core/grammar.ts";

/** Octets from `start` to before `end`. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const MOST_RANGES = 16;
const RANGE = /^(?:\d+-\d*|-\d+)$/;

/**
 * Reads a Range field.
 *
 * @param size Octets of the representation.
 * @returns the spans to send, in the order of the field; "unsatisfiable" for 416; undefined for the whole representation:
 *   the field is malformed, has another unit, has more than 16 ranges, or has ranges that overlap.
 *
 * @example
 * ```ts
 * import { parseRange } from "./ranges.ts";
 * console.assert(JSON.stringify(parseRange("bytes=-5", 100)) === '[{"start":95,"end":100}]');
 * console.assert(parseRange("bytes=100-", 100) === "unsatisfiable");
 * ```
 */
export function parseRange(field: string, size: number): readonly Span[] | "unsatisfiable" | undefined {
  // No range of an empty representation can be written in Content-Range.
  if (size === 0 || !/^bytes=/i.test(field)) return undefined;
  const asked = listMembers(field.slice("bytes=".length)).filter((one) => one !== "");
  if (asked.length === 0 || asked.length > MOST_RANGES || !asked.every((one) => RANGE.test(one))) return undefined;
  const spans: Span[] = [];
  for (const one of asked) {
    const dash = one.indexOf("-");
    const [first, last] = [one.slice(0, dash), one.slice(dash + 1)];
    if (first !== "" && last !== "" && Number(last) < Number(first)) return undefined; // invalid, so the field counts for nothing
    const start = first === "" ? Math.max(0, size - Number(last)) : Number(first);
    const end = first === "" || last === "" ? size : Math.min(size, Number(last) + 1);
    if (start < end) spans.push({ start, end });
  }
  if (spans.length === 0) return "unsatisfiable";
  const sorted = spans.toSorted((a, b) => a.start - b.start);
  const overlaps = sorted.some(({ start }, i) => i > 0 && start < (sorted[i - 1] as Span).end);
  return overlaps ? undefined : spans;
}

/** The value of Content-Range for a span. */
export function contentRange({ start, end }: Span, size: number): string {
  return `bytes ${start}-${end - 1}/${size}`;
}
