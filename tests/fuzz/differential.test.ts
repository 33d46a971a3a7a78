/**
 * tsgi's HTTP/1.1 parser beside node's: the short form of `npm run fuzz:differences`, and the page about it.
 */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { classes } from "./differential/classes.ts";
import { observeNode } from "./differential/node_side.ts";
import { PAGE, page } from "./differential/page.ts";
import { classOf, compare, compareMany, inputsOf } from "./differential/run.ts";
import { nodeOnPort, tsgiOnPort } from "./differential/sockets.ts";
import { observeTsgi } from "./differential/tsgi_side.ts";
import { bytesOf } from "./target.ts";

describe("18.4 each class of differences has an input that shows it", () => {
  it.each(classes.map((one) => [one.name, one] as const))("%s", async (name, { example }) => {
    const difference = await compare(bytesOf(example));
    expect(difference, "no difference").toBeDefined();
    expect(classOf(difference!)?.name, JSON.stringify(difference)).toBe(name);
  });
});

it("18.4 docs/http-differences.md is what npm run docs:differences writes", async () => {
  expect(readFileSync(PAGE, "utf8")).toBe(await page());
});

const seed = Math.floor(Math.random() * 2 ** 31);
it(`18.4 every difference has a class: the fresh seed ${seed}`, async () => {
  const { inputs, unknown } = await compareMany(5000, seed);
  expect(unknown).toEqual([]);
  expect(inputs).toBe(5000);
});

it("18.4 servers in memory and behind sockets make the same of a sample", async () => {
  const servers = [[await tsgiOnPort(), observeTsgi], [await nodeOnPort(), observeNode]] as const;
  const inputs = [...inputsOf(1500, 18)].filter((_, i) => i % 10 === 0);
  for (const [server, inMemory] of servers) {
    for (const input of inputs) {
      const wanted = await inMemory(input);
      expect(await server.observe(input, wanted), JSON.stringify(Buffer.from(input).toString("latin1"))).toEqual(
        wanted,
      );
    }
    await server.close();
  }
});
