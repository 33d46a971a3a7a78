/**
 * docs/SPEC.md is what `npm run docs:spec` makes of the validator, and the validator leaves no rule out.
 */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { specification, themes } from "../../wsgiref/validate/spec.ts";
import { projectPath } from "../server_process.ts";
import { applicationRows } from "./violations_by_application.ts";
import { serverRows } from "./violations_by_server.ts";

/** The rules of the gateway rule list, sections 1 to 9. */
const sections: Readonly<Record<string, number>> = { E: 24, I: 14, X: 2, R: 18, B: 22, H: 8, W: 5, M: 7 };
const ruleNames = Object.entries(sections).flatMap(([letter, count]) =>
  Array.from({ length: count }, (_, index) => `${letter}${String(index + 1).padStart(2, "0")}`)
).concat(["X10", "X11", "X12", "X13", "X14", "X15", "X16"]);

const checked = themes.flatMap((theme) => theme.checked);
const unchecked = themes.flatMap((theme) => theme.unchecked);
const baseOf = (id: string): string => id.replace(/-.*/, "");

it("docs/SPEC.md is up to date: npm run docs:spec", () => {
  expect(readFileSync(projectPath("docs/SPEC.md"), "utf8")).toBe(specification());
});

describe("the rules", () => {
  it("have one name each", () => {
    const ids = [...checked, ...unchecked].map(({ id }) => id);
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
  });

  it("are all there: checked, or excluded with a reason", () => {
    const known = new Set([...checked, ...unchecked].map(({ id }) => baseOf(id)));
    expect(ruleNames.filter((name) => !known.has(name))).toEqual([]);
    expect([...known].filter((name) => !ruleNames.includes(name) && !name.startsWith("T"))).toEqual([]);
    expect(unchecked.filter(({ reason }) => reason.length < 10)).toEqual([]);
  });

  it("that are checked are broken by at least one deliberate violation each", () => {
    const broken = new Set([
      ...applicationRows.map(({ rule }) => `application ${rule}`),
      ...serverRows.map(({ rule }) => `server ${rule}`),
    ]);
    expect(checked.map(({ bound, id }) => `${bound} ${id}`).filter((one) => !broken.has(one))).toEqual([]);
  });

  it("have 40 violations by an application and 20 by a server, and more", () => {
    expect(applicationRows.length).toBeGreaterThanOrEqual(40);
    expect(serverRows.length).toBeGreaterThanOrEqual(20);
  });
});
