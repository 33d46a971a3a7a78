/**
 * Draws a bar chart as SVG: requests per second as a ratio to the runtime's own server.
 *
 * The axis is logarithmic, so that half as fast and twice as fast are equally far from 1, the line between slower and
 * faster. A media query in the file adapts it to light and dark pages.
 *
 * @module
 */

import { short, type Spread } from "./statistics.ts";

/** One bar. */
export interface Bar {
  readonly workload: string;
  readonly cell: string;
  readonly ratio: Spread;
}

const LEFT = 90;
const WIDTH = 760;
const PLOT = WIDTH - LEFT - 60;
const BAR = 13;
const GAP = 12;
const TOP = 64;
const LEAST = 0.5;

/** Colours that differ on white and on black, also for readers who cannot tell red from green. */
const COLOURS: Readonly<Record<string, string>> = {
  node: "#2f9e72",
  deno: "#4c7fd9",
  bun: "#d98a2b",
  "deno-net": "#93b3ea",
  "bun-net": "#ecc48f",
};

const STYLE = `text { font: 12px system-ui, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.quiet { fill: #59636e; }
.grid { stroke: #d1d9e0; }
.one { stroke: #1f2328; }
.range { stroke: #1f2328; stroke-opacity: 0.7; }
@media (prefers-color-scheme: dark) {
  text { fill: #f0f6fc; }
  .quiet { fill: #9198a1; }
  .grid { stroke: #3d444d; }
  .one, .range { stroke: #f0f6fc; }
}`;

/** Draws the chart; returns the SVG. */
export function chart(bars: readonly Bar[], note: string): string {
  const workloads = [...new Set(bars.map(({ workload }) => workload))];
  const cells = [...new Set(bars.map(({ cell }) => cell))];
  const most = Math.max(2, ...bars.map(({ ratio }) => ratio.max)) * 1.05;
  const least = Math.min(LEAST, ...bars.map(({ ratio }) => ratio.min)) * 0.95;
  const x = (value: number): number => LEFT + PLOT * Math.log(value / least) / Math.log(most / least);
  const parts: string[] = [];
  let y = TOP;
  for (const workload of workloads) {
    const group = bars.filter((bar) => bar.workload === workload);
    const middle = y + group.length * BAR / 2 + 4;
    parts.push(`<text x="${LEFT - 10}" y="${middle}" text-anchor="end">${workload}</text>`);
    for (const bar of group) {
      parts.push(barOf(bar, x, y));
      y += BAR;
    }
    y += GAP;
  }
  const bottom = y;
  const ticks = [0.25, 0.5, 1, 2, 4, 8, 16].filter((tick) => tick > least && tick < most);
  const grid = ticks.map((tick) =>
    `<line class="${tick === 1 ? "one" : "grid"}" x1="${f(x(tick))}" x2="${f(x(tick))}" y1="${
      TOP - 6
    }" y2="${bottom}"/>` +
    `<text class="quiet" x="${f(x(tick))}" y="${bottom + 14}" text-anchor="middle">${tick}</text>`
  );
  const height = bottom + 40;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" ` +
    `height="${height}" role="img" aria-labelledby="title">
<style>${STYLE}</style>
<text class="title" id="title" x="${LEFT}" y="20">Requests per second over the runtime's own server</text>
${legend(cells)}
${grid.filter((line) => !line.includes('"one"')).join("\n")}
${parts.join("\n")}
${grid.filter((line) => line.includes('"one"')).join("\n")}
<text class="quiet" x="${LEFT}" y="${height - 8}">${note}</text>
</svg>
`;
}

/** Draws a bar from 1 to the median, the range of the rounds on top of it, and the figure beside it. */
function barOf({ cell, ratio }: Bar, x: (value: number) => number, y: number): string {
  const [from, to] = [x(1), x(ratio.median)].toSorted((a, b) => a - b) as [number, number];
  const middle = f(y + BAR / 2);
  const end = Math.max(x(ratio.max), x(1));
  return `<rect x="${f(from)}" y="${y + 1}" width="${f(Math.max(to - from, 1))}" height="${BAR - 2}" ` +
    `fill="${COLOURS[cell] ?? "#888"}"/>` +
    `<line class="range" x1="${f(x(ratio.min))}" x2="${f(x(ratio.max))}" y1="${middle}" y2="${middle}"/>` +
    `<text x="${f(end + 5)}" y="${f(y + BAR - 3)}">${short(ratio.median)}</text>`;
}

function legend(cells: readonly string[]): string {
  return cells.map((cell, i) => {
    const at = LEFT + i * 110;
    return `<rect x="${at}" y="32" width="11" height="11" fill="${COLOURS[cell] ?? "#888"}"/>` +
      `<text x="${at + 16}" y="42">${cell}</text>`;
  }).join("\n");
}

function f(value: number): string {
  return value.toFixed(1);
}
