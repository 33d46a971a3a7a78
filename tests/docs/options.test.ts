/**
 * docs/options.md has a row for every option, with the default that is in force; the table of hosts in README.md says of
 * each what its adapter refuses.
 */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { refuseOnBun, refuseOnDeno } from "../../adapters/unsupported.ts";
import { optionNames } from "../../core/server/option_table.ts";
import { settings } from "../../core/server/options.ts";
import type { ListenOptions } from "../../core/seams.ts";
import { projectPath } from "../server_process.ts";
import { pageText, tableRows } from "./markdown.ts";

const all = settings({}, { port: undefined, errorLog: () => {} }) as unknown as Record<string, unknown>;

it("docs/options.md names every option and no other", () => {
  const text = readFileSync(projectPath("docs/options.md"), "utf8");
  const named = [...text.matchAll(/^\| ((?:`\w+`(?:, )?)+) +\|/gm)].flatMap((row) =>
    (row[1] as string).match(/\w+/g) ?? []
  );
  expect(named.toSorted()).toEqual(optionNames.toSorted());
});

it("docs/options.md states the numbers in force", () => {
  const text = readFileSync(projectPath("docs/options.md"), "utf8");
  const numbers = Object.entries(all).filter(([name, value]) => typeof value === "number" && name !== "port");
  expect(numbers.length).toBeGreaterThan(12);
  for (const [name, value] of numbers) {
    const row = text.split("\n").find((line) => line.startsWith(`| \`${name}\` `)) ?? "";
    expect(row.split("|")[2], name).toContain(String(value));
  }
});

describe("README.md, what runs where", () => {
  const rows = tableRows(pageText("README.md"), "What runs where").filter((cells) => cells.length > 4);
  const [heading = [], ...hosts] = [pageText("README.md").split("\n").find((line) => line.startsWith("| host ")) ?? ""]
    .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim())).concat(rows);
  const column = (name: string): number => heading.indexOf(name);
  const asked: readonly (readonly [string, Partial<ListenOptions>])[] = [
    ["inherited fd", { at: { transport: "fd", fd: 3 } }],
    ["`reusePort`", { reusePort: true }],
    ["`backlog`", { backlog: 100 }],
  ];
  const refusals: Readonly<Record<string, (options: ListenOptions) => void>> = {
    "Node: `node:net`": () => {},
    "Deno: `Deno.listen`": refuseOnDeno,
    "Bun: `Bun.listen`": refuseOnBun,
    "`tsgi/node` under Deno": () => {},
    "`tsgi/node` under Bun": refuseOnBun,
  };

  it.each(Object.keys(refusals).flatMap((host) => asked.map(([name, options]) => [host, name, options] as const)))(
    "%s, %s",
    (host, name, options) => {
      const row = hosts.find((cells) => cells[0] === host) ?? expect.fail(`There is no row ${host}`);
      const at = { transport: "tcp", hostname: "127.0.0.1", port: 0 };
      const listen = { at, ...options } as ListenOptions;
      let answer = "yes";
      try {
        refusals[host]?.(listen);
      } catch {
        answer = "no";
      }
      expect(row[column(name)]).toBe(answer);
    },
  );
});
