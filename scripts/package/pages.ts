/**
 * The pages of the package: README.md and docs/, whose links lead to files of the package or to full addresses.
 *
 * On the pages of the repository, links also lead to files that are not published: sources, tests, measurements. In the
 * package such a link has the file's address in the repository. Where the repository is not known, only its text is left.
 *
 * @module
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { documentsOf, type Manifest, root } from "./manifest.ts";

/** What is published. */
export interface Published {
  /** Whether a file or folder is published, by its path in the repository. */
  readonly has: (path: string) => boolean;
  /** Where the repository has a file, as `https://.../blob/v1.2.3/`; undefined when it is not known. */
  readonly files: string | undefined;
}

const BLOCKS = /^( *)(`{3,})[^\n]*\n[\s\S]*?^ *\2 *$/gm;
const LINK = /(!?)\[((?:[^\][]|\[[^\]]*\])*)\]\(([^()\s]+)\)/g;

/** The text of a page for the package; `page` is its path in the repository. */
export function packagedPage(page: string, text: string, published: Published): string {
  const blocks = [...text.matchAll(BLOCKS)].map((block) => [block.index, block.index + block[0].length] as const);
  return text.replace(LINK, (link: string, image: string, label: string, target: string, at: number) => {
    if (/^(?:[a-z]+:|#)/.test(target) || blocks.some(([start, end]) => at >= start && at < end)) return link;
    const path = join(dirname(page), target.replace(/#.*$/, ""));
    if (published.has(path)) return link;
    if (published.files !== undefined) {
      const raw = image === "" ? "" : "?raw=true"; // else a picture's address is that of a page
      return `${image}[${label}](${published.files}${join(dirname(page), target)}${raw})`;
    }
    return image === "" ? label : "";
  });
}

/** Writes the documents of the package below `folder`. */
export function writeDocuments(manifest: Manifest, folder: string): void {
  const documents = documentsOf(manifest);
  const published = { has: (path: string) => isAmong(documents, path), files: repositoryFiles(manifest.version) };
  for (const name of documents) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), packagedPage(name, readFileSync(join(root, name), "utf8"), published));
  }
}

/** Whether a path is one of the documents, or a folder of them. */
function isAmong(documents: readonly string[], path: string): boolean {
  const folder = path.endsWith("/") ? path : `${path}/`;
  return documents.some((name) => name === path || name.startsWith(folder));
}

/** Where the files of a version are on GitHub, when one of its workflows builds the package. */
function repositoryFiles(version: string): string | undefined {
  const { GITHUB_REPOSITORY: name, GITHUB_SERVER_URL: server } = process.env;
  return name && server ? `${server}/${name}/blob/v${version}/` : undefined;
}
