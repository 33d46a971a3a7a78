/**
 * The parts of `npm run soak`, in their long and their short form. The gate runs the short form of all that need no
 * program of the system.
 *
 * @module
 */

import { cells } from "../lifecycle/cell.ts";
import { campaign, type Scale as OverloadScale } from "../overload/campaign.ts";
import type { Runtime } from "../server_process.ts";
import { type CommandScale, frameworks, kills, reloads } from "./command.ts";
import { HEADING, slowhttptest, type SlownessScale } from "./slowhttptest.ts";
import { abandonedStreams, type StreamsScale } from "./streams.ts";
import { exchanges, type TlsScale } from "./tls.ts";

/** How much each part does. */
export interface Scale {
  readonly streams: StreamsScale;
  readonly command: CommandScale;
  readonly tls: TlsScale;
  readonly overload: OverloadScale;
  readonly slowhttptest: SlownessScale;
}

/** The long form: minutes for each part and runtime. */
export const LONG: Scale = {
  streams: { rounds: 12, most: 100 },
  command: { requests: 100_000, hups: 20, kills: 30, whole: 2000, frameworkRequests: 20_000, frameworkHups: 5 },
  tls: { requests: 20_000, exchanges: 2 },
  overload: { unit: 5000, factor: 10, together: false },
  slowhttptest: { connections: 500, seconds: 90 },
};

/** The short form: seconds. */
export const SHORT: Scale = {
  streams: { rounds: 3, most: 900 }, // of three rounds an average says little
  command: { requests: 500, hups: 1, kills: 1, whole: 20_000, frameworkRequests: 300, frameworkHups: 1 },
  tls: { requests: 300, exchanges: 2 },
  overload: { unit: 1000, factor: 1, together: true },
  slowhttptest: { connections: 50, seconds: 10 },
};

/** A part: does its work on a runtime, tells `say` its figures, and returns what was wrong. */
export type Part = (runtime: Runtime, scale: Scale, say: (line: string) => void) => Promise<string[]>;

/** All parts. */
export const parts: Readonly<Record<"streams" | "command" | "tls" | "overload" | "slowhttptest", Part>> = {
  streams: (runtime, scale, say) => abandonedStreams(runtime, scale.streams, say),
  command: async (runtime, { command }, say) => [
    ...await reloads(runtime, command, say),
    ...await kills(runtime, command, say),
    ...await frameworks(runtime, command, say),
  ],
  tls: (runtime, { tls }, say) => exchanges(runtime, tls, say),
  overload: async (runtime, { overload }, say) => {
    const plan = cells.find(({ name }) => name === runtime);
    const verdict = await campaign(plan!, overload, say);
    return [...verdict].flatMap(([name, faults]) => faults.map((fault) => `${runtime}: ${name}: ${fault}`));
  },
  slowhttptest: (runtime, scale, say) => {
    for (const line of HEADING) say(line);
    return slowhttptest(runtime, scale.slowhttptest, say);
  },
};

/** The name of a part. */
export type PartName = keyof typeof parts;
/** The names of all parts. */
export const partNames: readonly PartName[] = Object.keys(parts) as PartName[];
