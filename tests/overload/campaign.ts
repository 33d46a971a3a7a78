/**
 * All attacks against the servers of one runtime: one in clear, one with TLS, and one with `maxConnections`. The gate
 * runs it in its short form, and `npm run soak -- overload` in its long form.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import type { ServeOptions } from "../../mod.ts";
import { type CellPlan, withCell } from "../lifecycle/cell.ts";
import { Certificates } from "../tls/certificates.ts";
import { type Attack, crowdingAttacks, heavyAttacks, MOST, slowAttacks, timeouts, tlsAttacks } from "./attacks.ts";
import { faults, Siege, told } from "./siege.ts";

const AGAIN = 3; // times at most: the first ones fill pools
const LEFT_OF_EACH = 2048; // bytes; a connection that is not forgotten is several thousand

/** How the attacks are made. */
export interface Scale {
  /** The unit of the time-outs, in ms. */
  readonly unit: number;
  /** How many connections for each one in the table. */
  readonly factor: number;
  /** Whether the slow attacks are made at the same time. */
  readonly together: boolean;
}

/** What is wrong: nothing, for most attacks. */
export type Verdict = ReadonlyMap<string, readonly string[]>;

/** The name of a last check, that attacks which are made again leave nothing in memory. */
export const NOTHING_LEFT = "connections that are made again leave nothing in memory";

/** The names of all checks. */
export const checks: readonly string[] = [
  ...[...slowAttacks, ...heavyAttacks, ...tlsAttacks, ...crowdingAttacks].map(({ name }) => name),
  NOTHING_LEFT,
];

/** Makes all attacks on the servers of a runtime, and tells `say` the figures of each. */
export async function campaign(plan: CellPlan, scale: Scale, say: (line: string) => void): Promise<Verdict> {
  const verdict = new Map<string, readonly string[]>();
  const apart = (attacks: readonly Attack[]): (readonly Attack[])[] => attacks.map((one) => [one]);
  const slow = (attacks: readonly Attack[]): (readonly Attack[])[] => scale.together ? [attacks] : apart(attacks);
  const run = async (
    serve: ServeOptions,
    waves: readonly (readonly Attack[])[],
    { ca, last }: { readonly ca?: string; readonly last?: (siege: Siege) => Promise<void> } = {},
  ): Promise<void> => {
    await withCell(plan, { serve: { ...timeouts(scale.unit / 1000), ...serve }, collects: true }, async (cell) => {
      const siege = await Siege.of(cell, { ...scale, ca });
      for (const wave of waves) {
        const names = wave.map(({ name }) => name).join(", ");
        try {
          const report = await siege.run(...wave);
          say(`${plan.name}: ${names}: ${told(report)}`);
          for (const attack of wave) verdict.set(attack.name, faults(report, attack, scale));
        } catch (error) {
          say(`${plan.name}: ${names}: ${(error as Error).message.slice(0, 200)}`);
          for (const { name } of wave) verdict.set(name, [(error as Error).message]);
        }
      }
      await last?.(siege);
    });
  };

  await run({}, [...slow(slowAttacks), ...apart(heavyAttacks)], {
    last: async (siege) => void verdict.set(NOTHING_LEFT, await leftovers(siege)),
  });
  await run({ maxConnections: MOST }, apart(crowdingAttacks));
  const certificates = new Certificates();
  try {
    const tls = certificates.signed("localhost", { names: ["DNS:localhost", "IP:127.0.0.1"] });
    await run({ tls }, slow(tlsAttacks), { ca: readFileSync(certificates.ca, "utf8") });
  } finally {
    certificates.remove();
  }
  return verdict;
}

/** Makes slow attacks again, until one round leaves nothing. */
async function leftovers(siege: Siege): Promise<string[]> {
  let each = Infinity;
  for (let i = 0; i < AGAIN && each > LEFT_OF_EACH; i++) {
    const { left, outcomes } = await siege.run(...slowAttacks.slice(0, 4));
    each = left / outcomes.reduce((sum, { texts }) => sum + texts.length, 0);
  }
  return each > LEFT_OF_EACH ? [`${each.toFixed(0)} bytes of each connection are left, not ${LEFT_OF_EACH}`] : [];
}
