/**
 * The tests for every wire that has one request per connection.
 *
 * @module
 */

import { describe, expect, it } from "vitest";
import type { Wire } from "../../core/wires/load.ts";
import { type NaiveHead, naiveVerdict } from "./naive.ts";
import { captures, digest, inPieces, mutated, randomFrom, type Verdict, verdictOf } from "./trial.ts";

const MUTATIONS = process.env.TSGI_EXHAUSTIVE === undefined ? 1000 : 10_000; // of each capture

/** The bodies that were sent, as `verdictOf` shows them. */
export const BODIES: Readonly<Record<"none" | "form" | "parts" | "begun" | "large" | "cut", string>> = {
  none: digest(new Uint8Array(0)),
  form: digest(Buffer.from("name=J%C3%B6rg&x=1")),
  parts: digest(Buffer.from("part1part2part3")),
  begun: digest(Buffer.from("part1part2")),
  large: digest(Uint8Array.from({ length: 66_770 }, (_, i) => i % 251)),
  cut: "TruncatedBodyError",
};

/** The expected reading of a capture: the request and the body. */
export type Expected = Readonly<Record<string, readonly [request: Verdict["request"], body: string]>>;

/** Defines the tests of one wire. */
export function describeCaptures(
  protocol: string,
  wire: Wire,
  naive: (bytes: Uint8Array) => NaiveHead | number | null,
  expected: Expected,
): void {
  const all = captures(protocol);

  it("there is an expectation for each capture", () => {
    expect(all.map(([name]) => name).sort()).toEqual(Object.keys(expected).sort());
  });

  describe.each(all)("%s", (name, bytes) => {
    const [request, body] = expected[name] as Expected[string];
    const wanted: Verdict = { status: body === BODIES.cut ? 400 : 200, request, body };

    it("is the request that was sent, at every split of its head, and octet by octet", async () => {
      const head = Math.min(bytes.length, 1200);
      for (let at = 1; at <= head; at++) {
        expect(await verdictOf(wire, [bytes.subarray(0, at), bytes.subarray(at)].filter((p) => p.length > 0))).toEqual(
          wanted,
        );
      }
      const octets = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
      expect(await verdictOf(wire, octets)).toEqual(wanted);
      expect(naiveVerdict(bytes, naive(bytes))).toEqual(wanted);
    }, 60_000);

    it(`${MUTATIONS} mutations of it get the verdict of a whole-buffer decoder`, async () => {
      const random = randomFrom(bytes.length * 7919 + name.length);
      for (let i = 0; i < MUTATIONS; i++) {
        const mutant = mutated(bytes, random);
        const verdict = await verdictOf(wire, inPieces(mutant, random));
        const other = naiveVerdict(mutant, naive(mutant));
        if (JSON.stringify(verdict) !== JSON.stringify(other)) {
          expect({ verdict, hex: Buffer.from(mutant.subarray(0, 2000)).toString("latin1") }).toEqual({
            verdict: other,
          });
        }
      }
    }, 120_000);
  });
}
