/**
 * Links inside the repository lead somewhere: the file is there, and so is the heading. Those to other places have the
 * form of one; they are not followed.
 */

import { existsSync, readdirSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";
import { projectPath } from "../server_process.ts";
import { anchors, documentedPages, links, pageText } from "./markdown.ts";

const root = projectPath("");
const top = readdirSync(root).filter((name) => name.endsWith(".md"));
const pages = [...new Set([...top, ...documentedPages(), "examples/README.md", "bench/README.md"])];

/** What is wrong with a link on a page, or null. */
function fault(page: string, target: string): string | null {
  if (/^[a-z]+:/.test(target)) return /^https:\/\/[\w.-]+\.\w+(?:\/|$)/.test(target) ? null : "no address";
  const [path = "", anchor] = target.split("#");
  const file = path === "" ? page : normalize(join(dirname(page), decodeURI(path)));
  if (file.startsWith("..")) return "outside the repository";
  if (!existsSync(join(root, file))) return `there is no ${file}`;
  if (anchor === undefined) return null;
  if (!file.endsWith(".md")) return "an anchor in what is no page";
  return anchors(pageText(file)).includes(anchor) ? null : `${file} has no heading #${anchor}`;
}

describe("links", () => {
  test.each(pages)("%s", (page) => {
    const faults = links(pageText(page)).map(({ line, target }) => ({ line, target, fault: fault(page, target) }));
    expect(faults.filter((one) => one.fault !== null)).toEqual([]);
  });

  test("a link that leads nowhere is found", () => {
    const wrong = [
      "nothing.md",
      "README.md#nothing",
      "../outside.md",
      "http://example.org/",
      "bench/results/bench.svg#a",
    ];
    expect(wrong.map((target) => fault("README.md", target))).not.toContain(null);
  });

  test("docs/README.md leads to every page of docs/", () => {
    const reached = new Set(["docs/README.md"]);
    for (const page of reached) { // grows as it goes
      for (const { target } of links(pageText(page))) {
        const file = normalize(join(dirname(page), target.replace(/#.*$/, "")));
        if (file.startsWith("docs/") && file.endsWith(".md")) reached.add(file);
      }
    }
    expect(documentedPages().filter((page) => page.startsWith("docs/") && !reached.has(page))).toEqual([]);
  });

  test("anchors are those that GitHub makes", () => {
    const text =
      "# One `two`: three!\n```sh\n# no heading\n```\n## [A link](x.md), and\n## One two three\n### max_requests\n";
    expect(anchors(text)).toEqual(["one-two-three", "a-link-and", "one-two-three-1", "max_requests"]);
  });
});
