/**
 * The search by itself: what it finds, it makes small, and a seed repeats it.
 */

import process from "node:process";
import { describe, expect, it } from "vitest";
import { Search } from "./engine.ts";
import { Broken, bytesOf, type Target, textOf } from "./target.ts";

/** A target that fails as `check` says. */
function targetOf(check: (text: string) => void | Promise<void>): Target {
  return {
    longest: 100,
    seeds: () => [bytesOf("seed")],
    words: ["bad", "word"],
    generate: (random) => bytesOf(random.text(40, "abcd ")),
    check: (input) => check(textOf(input)),
  };
}

const BOUNDS = { runs: 20_000, seconds: 20 };

function searchOf(target: Target, seed = 1): Search {
  return new Search(target, seed, [], () => {});
}

describe("18.4 the search", () => {
  it("makes a failing input as small as it can be", async () => {
    const { finding, executions } = await searchOf(targetOf((text) => {
      if (text.includes("bad")) throw new Broken("no word is bad", text.length);
    })).run(BOUNDS);
    expect(textOf(finding!.input)).toBe("bad");
    expect(finding!.message).toBe("no word is bad: 3");
    expect(executions).toBeLessThan(BOUNDS.runs);
  });

  it("takes any other error, also of a promise that nobody awaits, for a fault", async () => {
    const thrown = await searchOf(targetOf((text) => void JSON.parse(`"${text}`))).run(BOUNDS);
    expect(thrown.finding?.message).toContain("SyntaxError");
    const lost = await searchOf(targetOf(async () => {
      void Promise.reject(new TypeError("lost"));
      await new Promise(setImmediate);
    })).run(BOUNDS);
    expect(lost.finding?.message).toContain("TypeError: lost");
  });

  it("takes a property that all objects get for a fault", async () => {
    const { finding } = await searchOf(targetOf(() => {
      Object.defineProperty(Object.prototype, "polluted", { value: 1, enumerable: true, configurable: true });
    })).run(BOUNDS);
    delete (Object.prototype as Record<string, unknown>).polluted;
    expect(finding?.message).toContain("Object.prototype stays as it is: polluted");
  });

  it("takes an execution that uses too much CPU time for a fault", async () => {
    const busy = targetOf(() => {
      const cpu = (): number => process.threadCpuUsage().user;
      for (const end = cpu() + 60_000; cpu() < end;);
    });
    const { finding } = await new Search(busy, 1, [], () => {}, 40).run(BOUNDS);
    expect(finding?.message).toMatch(/^an execution ends soon: [0-9]+ ms/);
  });

  it("repeats itself for a seed, and differs for another one", async () => {
    const inputs = async (seed: number): Promise<string> => {
      const seen: string[] = [];
      await searchOf(targetOf((text) => void seen.push(text)), seed).run({ runs: 300, seconds: 20 });
      return seen.join("\n");
    };
    expect(await inputs(7)).toBe(await inputs(7));
    expect(await inputs(7)).not.toBe(await inputs(8));
  });
});
