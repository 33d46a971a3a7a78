/**
 * Runs the config that a page of docs/deploy/ shows.
 *
 * The block of the page itself is run. Only its example values are replaced: ports, addresses, paths, and the name of our
 * server. An example value that does not occur in the page is an error, so that the page and its tests stay in step.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { projectPath } from "../server_process.ts";

/** The text of a page. */
export function page(name: string): string {
  return readFileSync(projectPath(`docs/deploy/${name}`), "utf8");
}

/** The code blocks of a language in a page, in order. */
export function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, "gm"))].map((block) => block[1]!);
}

/** The one code block of a language in a page. */
export function block(name: string, language: string): string {
  const found = blocks(page(name), language);
  if (found.length !== 1) {
    throw new Error(`docs/deploy/${name} has ${found.length} blocks of ${language}, expected one`);
  }
  return found[0]!;
}

/** The Apache modules that a page tells to enable. */
export function enabledModules(name: string): string[] {
  const line = /^a2enmod (.+)$/m.exec(blocks(page(name), "sh").join("\n"));
  if (line === null) throw new Error(`docs/deploy/${name} has no a2enmod line`);
  return line[1]!.split(" ");
}

/** Replaces all example values in one pass, because a replacement may look like another example value. */
export function substituted(text: string, values: Readonly<Record<string, string>>): string {
  const examples = Object.keys(values);
  for (const example of examples) {
    if (!text.includes(example)) throw new Error(`The documented config does not have ${example}:\n${text}`);
  }
  const any = new RegExp(examples.map((example) => example.replace(/[^\w]/g, "\\$&")).join("|"), "g");
  return text.replace(any, (example) => values[example]!);
}
