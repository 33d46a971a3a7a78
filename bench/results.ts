/**
 * The results of a benchmark run: the figures of every round, and the table made from them.
 *
 * @module
 */

import type { Machine } from "./machine.ts";
import type { Round } from "./measure.ts";
import { median, ranged, ratios, short, type Spread } from "./statistics.ts";
import { IDLE } from "./workloads.ts";

/** A server under a workload: its rounds, or its KiB per idle connection. */
export interface Entry {
  readonly name: string;
  readonly rounds: Round[];
  readonly idle: number[];
}

/** A cell under a workload: our server, the baseline, then peers. */
export interface Comparison {
  readonly cell: string;
  readonly workload: string;
  readonly entries: readonly Entry[];
}

/** The file of results. */
export interface Results {
  readonly when: string;
  readonly machine: Machine;
  readonly rounds: number;
  readonly seconds: number;
  readonly comparisons: readonly Comparison[];
  /** What was left out, with the reasons. */
  readonly absent: readonly string[];
}

const BUSY = 0.95; // of a core
const DISTURBED = 0.85; // of a core: on a quiet machine, the busier of server and wrk uses at least this much

/** The ratio of our requests per second to those of another server; for idle connections, the ratio of memory. */
export function ratioTo(comparison: Comparison, other: Entry): Spread {
  const [first] = comparison.entries;
  if (comparison.workload === IDLE) return ratios(first!.idle, other.idle);
  return ratios(first!.rounds.map((round) => round.rate), other.rounds.map((round) => round.rate));
}

/** Whether wrk was at its limit, and not our server. The ratio is then lower than it could be. */
export function clientBound({ entries }: Comparison): boolean {
  const ours = entries[0]!.rounds;
  return ours.length > 0 && median(ours.map((round) => round.client)) > BUSY &&
    median(ours.map((round) => round.server)) < BUSY;
}

/** Whether neither our server nor wrk was at its limit, because something else used the cores. */
function disturbed({ entries }: Comparison): boolean {
  return entries.some(({ rounds }) =>
    rounds.length > 0 && median(rounds.map(({ server, client }) => Math.max(server, client))) < DISTURBED
  );
}

function of(entry: Entry, figure: (round: Round) => number): number {
  return median(entry.rounds.map(figure));
}

/** Makes a table row for each other server. Our server is the left value of each pair. */
function lines(comparison: Comparison): string[][] {
  const [first, ...others] = comparison.entries;
  return others.map((other) => {
    const pair = (figure: (round: Round) => number): string =>
      `${short(of(first!, figure))} / ${short(of(other, figure))}`;
    const ratio = ranged(ratioTo(comparison, other));
    const head = [comparison.cell, comparison.workload, other.name];
    if (comparison.workload === IDLE) {
      return [...head, ratio, `${short(median(first!.idle))} / ${short(median(other.idle))} KiB`, "", "", ""];
    }
    return [
      ...head,
      `${ratio}${clientBound(comparison) ? " *" : ""}${disturbed(comparison) ? " ~" : ""}`,
      `${of(first!, (r) => r.rate).toFixed(0)} / ${of(other, (r) => r.rate).toFixed(0)}`,
      pair((r) => r.cpu),
      pair((r) => r.p99 || NaN),
      pair((r) => r.rss),
    ];
  });
}

const TITLES = ["cell", "workload", "against", "ratio (min-max)", "requests/s", "CPU us/request", "p99 ms", "RSS MiB"];

/** Formats the results as a Markdown table with its notes. */
export function table(results: Results): string {
  const rows = [TITLES, ...results.comparisons.flatMap(lines)];
  const widths = TITLES.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const text = rows.map((row) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`);
  text.splice(1, 0, `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`);
  const { machine } = results;
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`).join(", ");
  return [
    ...text,
    "",
    `tsgi on the left of each pair; medians of ${results.rounds} alternating rounds of ${results.seconds} s.`,
    ...(results.comparisons.some(clientBound) ? ["* wrk was at its limit, not tsgi: compare CPU time."] : []),
    ...(results.comparisons.some(disturbed)
      ? ["~ neither server nor wrk got a whole core: other programs ran, only CPU time can be compared."]
      : []),
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, Linux ${machine.kernel}; ${versions}.`,
    machine.pinned ? "Server on core 0, wrk on core 1." : "Server and wrk share the cores.",
    ...problems(results),
    ...results.comparisons.flatMap((comparison) =>
      comparison.entries.filter((entry) =>
        closedInSilence(comparison, entry) && entry.rounds.some(({ readErrors }) => readErrors > 0)
      ).map(({ name }) =>
        `${comparison.cell}, ${comparison.workload}: ${name} ends responses with the connection, wrk counts failed reads.`
      )
    ),
    ...results.absent.map((line) => `Left out: ${line}`),
  ].join("\n");
}

/**
 * Whether the failed reads of a server are really the ends of complete responses, which count. Either it closed the
 * connection as requested, but without the `Connection: close` that wrk needs (Bun.serve). Or it ends each body of
 * unknown length with a close (uWSGI), which wrk always counts as a failure.
 */
function closedInSilence({ workload }: Comparison, { rounds }: Entry): boolean {
  return rounds.every(({ readErrors, requests }) =>
    readErrors <= requests * 1.1 && (workload === "close" || (workload === "stream" && readErrors >= requests * 0.9))
  );
}

/** Counts the failed responses of each server. */
function problems(results: Results): string[] {
  return results.comparisons.flatMap((comparison) =>
    comparison.entries.flatMap((entry) => {
      const sum = (of: (round: Round) => number): number => entry.rounds.reduce((all, round) => all + of(round), 0);
      const refused = sum((round) => round.refused);
      const errors = sum((round) => round.socketErrors) +
        (closedInSilence(comparison, entry) ? 0 : sum((round) => round.readErrors));
      const { cell, workload } = comparison;
      const what = `${cell}, ${workload}, ${entry.name}: ${refused} not 2xx, ${errors} socket errors`;
      return refused + errors > 0 ? [`FAILED: ${what}`] : [];
    })
  );
}

/** Whether anything failed. */
export function failed(results: Results): boolean {
  return problems(results).length > 0;
}

/** Makes the bars of the chart: for each cell and workload, the ratio to the baseline. */
export function bars(results: Results): { workload: string; cell: string; ratio: Spread }[] {
  return results.comparisons.filter(({ workload }) => workload !== IDLE).map((comparison) => ({
    workload: comparison.workload,
    cell: comparison.cell,
    ratio: ratioTo(comparison, comparison.entries[1]!),
  }));
}
