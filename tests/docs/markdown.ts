/**
 * Reads Markdown for the tests of the documentation: fenced blocks, headings and links. It knows only the Markdown that
 * our pages use. A fence that does not end is an error.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectPath } from "../server_process.ts";

/** A fenced block. */
export interface Fence {
  /** The page, relative to the project. */
  readonly page: string;
  /** Page and line of its first line: `"docs/README.md:12"`. */
  readonly name: string;
  /** The info string after the opening fence: `"ts"`, `"ts node"`. */
  readonly info: string;
  /** Its lines, each with its end, without the indentation of the fence. */
  readonly code: string;
}

/** A link, or an image. */
export interface Link {
  /** Line number, from 1. */
  readonly line: number;
  readonly target: string;
}

const root = projectPath("");

/** The pages whose blocks are run: README.md and docs/. */
export function documentedPages(): string[] {
  const below = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" });
  return ["README.md", ...below.filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`).sort()];
}

/** The text of a page. */
export function pageText(page: string): string {
  return readFileSync(join(root, page), "utf8");
}

/**
 * The fenced blocks of a page, in order.
 *
 * @throws {Error} when one does not end.
 */
export function fences(page: string, text: string = pageText(page)): Fence[] {
  const found: Fence[] = [];
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const opening = /^( *)(`{3,})(.*)$/.exec(lines[i] as string);
    if (opening === null) continue;
    const [, indent = "", ticks = "", info = ""] = opening;
    const first = i + 1;
    let code = "";
    for (i++; lines[i]?.trim() !== ticks; i++) {
      if (i >= lines.length) throw new Error(`${page}:${first}: a block that does not end`);
      const line = lines[i] as string;
      code += `${line.startsWith(indent) ? line.slice(indent.length) : line.trimStart()}\n`;
    }
    found.push({ page, name: `${page}:${first + 1}`, info: info.trim(), code });
  }
  return found;
}

/**
 * The file that a `js` block is: a program that listens by itself, so it is run by the command and never imported.
 *
 * @throws {Error} when its first line does not name one.
 */
export function programName({ name, code }: Fence): string {
  const file = /^\/\/ ([\w.]+\.m?js)\n/.exec(code)?.[1];
  if (file === undefined) throw new Error(`${name}: expected a first line that names the file, like // server.js`);
  return file;
}

/** A page without its code, line for line: blocks, spans of code and comments are blank. */
function prose(text: string): string {
  const blank = (code: string): string => code.replace(/[^\n]/g, " ");
  return text.replace(/^ *(`{3,})[^\n]*\n[\s\S]*?^ *\1 *$/gm, blank).replace(/<!--[\s\S]*?-->/g, blank)
    .replace(/`[^`\n]+`/g, blank);
}

/** The links and images of a page, inline ones and `src` and `href` of HTML. */
export function links(text: string): Link[] {
  const plain = prose(text);
  return [...plain.matchAll(/\]\(([^()\s]+)\)|\b(?:src|srcset|href)="([^"]+)"/g)].map((match) => ({
    line: plain.slice(0, match.index).split("\n").length,
    target: (match[1] ?? match[2]) as string,
  }));
}

/** The anchors of a page, as GitHub makes them of its headings. */
export function anchors(text: string): string[] {
  const seen = new Map<string, number>();
  const withoutBlocks = text.replace(/^ *(`{3,})[^\n]*\n[\s\S]*?^ *\1 *$/gm, "");
  return [...withoutBlocks.matchAll(/^#{1,6} +(.+?) *$/gm)].map((heading) => {
    const plain = (heading[1] as string).replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[`*]/g, "");
    const slug = plain.toLowerCase().replace(/[^\p{L}\p{N}\p{M} _-]/gu, "").replace(/ /g, "-");
    const times = seen.get(slug) ?? 0;
    seen.set(slug, times + 1);
    return times === 0 ? slug : `${slug}-${times}`;
  });
}

/** The cells of each row of the tables below a heading, up to the next heading of its level. */
export function tableRows(text: string, heading: string): string[][] {
  const start = new RegExp(`^(#+) ${heading.replace(/[^\w ]/g, "\\$&")}$`, "m").exec(text);
  if (start === null) throw new Error(`There is no heading "${heading}"`);
  const rest = text.slice(start.index + start[0].length);
  const end = rest.search(new RegExp(`^#{1,${(start[1] as string).length}} `, "m"));
  const rows = (end < 0 ? rest : rest.slice(0, end)).split("\n").filter((line) => line.startsWith("|"));
  const cells = (row: string): string[] => row.replace(/^\||\|$/g, "").split(/(?<!\\)\|/).map((cell) => cell.trim());
  return rows.filter((row, i) => !/^\|[ :|-]+\|$/.test(row) && !/^\|[ :|-]+\|$/.test(rows[i + 1] ?? "")).map(cells);
}
