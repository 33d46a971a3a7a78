/**
 * The test client and a real socket give the same answer: the behaviour suite, asked of the test client.
 *
 * The cell is this process: a small HTTP front (front.ts) turns what the suite sends into calls of the client. What is
 * left out concerns the wire, which a test client does not have.
 *
 * @module
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type VariantName, variants } from "../behaviour/apps/app.ts";
import type { CellPlan, RunningCell } from "../behaviour/cell.ts";
import { ServedMemory } from "../behaviour/memory.ts";
import { cases } from "../behaviour/suite.ts";
import { Trial } from "../behaviour/trial.ts";
import { client } from "../../testing/mod.ts";
import { type Front, front } from "./front.ts";

/** Cases that concern the wire, by the beginning of their titles. */
const wireCases: readonly { readonly title: RegExp; readonly reason: string }[] = [
  { title: /^X16 /, reason: "raw bytes: the wire's parser refuses them; the test client makes no malformed request" },
  { title: /^I09 /, reason: "raw bytes of a malformed chunk: the test client has no chunks" },
  { title: /^I11 (?!another)/, reason: "Expect: 100-continue: the test client sends its body when it is asked for it" },
  { title: /^E07 the path is not normalised/, reason: "raw octets in a target: the test client percent-encodes them" },
  { title: /^upgrade: /, reason: "a socket: the test client has none" },
];

const names = Object.keys(variants) as VariantName[];
const SERVER_PORT = 8080;

/** Neither a socket of ours nor a fetch host: what the suite allows those to do is not allowed here. */
const plan = { name: "test-client", kind: "client", runtime: "node", runner: "" } as unknown as CellPlan;

const fronts: Front[] = [];

async function start(): Promise<RunningCell> {
  const ports: Partial<Record<VariantName, number>> = {};
  for (const name of names) {
    const { app, options } = variants[name];
    const served = await front(client(app, { ...options, host: `127.0.0.1:${SERVER_PORT}` }));
    fronts.push(served);
    ports[name] = served.port;
  }
  const all = ports as Record<VariantName, number>;
  const memory = new ServedMemory(all.main);
  const stop = (): Promise<void> => Promise.resolve();
  return { plan, ports: all, serverPort: SERVER_PORT, memory, alive: true, stderr: "", report: "", stop };
}

function reasonOf(title: string): string | undefined {
  return wireCases.find((row) => row.title.test(title))?.reason;
}

it("Only what concerns the wire is left out", () => {
  for (const { title } of wireCases) expect(cases.some((one) => title.test(one.title)), String(title)).toBe(true);
  const left = cases.filter(({ title }) => reasonOf(title) !== undefined);
  expect(left.length / cases.length).toBeLessThan(0.08);
});

describe("the test client", () => {
  let cell: RunningCell;

  beforeAll(async () => {
    cell = await start();
  });

  afterAll(() => fronts.forEach((one) => one.stop()));

  for (const one of cases) {
    if (reasonOf(one.title) !== undefined) continue;
    it(one.title, async () => {
      const trial = await Trial.begin(cell);
      try {
        await one.check(trial);
        expect(await trial.text("/ok")).toBe("ok");
      } finally {
        trial.end();
      }
    }, one.timeout ?? 20_000);
  }
});
