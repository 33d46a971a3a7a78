/**
 * The response to a request that failed in development: a page for browsers, plain text for curl.
 *
 * The page has all in itself, since the application that would serve files is the one that has failed. Each value that
 * comes from a client or from the program is escaped. The policy of the page allows its own style and script and nothing
 * else, so that markup that got through would be dead.
 *
 * Its script asks the server each second which worker serves. When it is another one, the code has changed, and the page
 * loads itself anew. It does so only for GET: for another method it says so, because a form would be sent twice.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { FailurePage } from "../../core/gateway/gateway.ts";
import type { Environ } from "../../core/contract/types.ts";
import { describe, errorText } from "../../core/errors.ts";
import { type Excerpt, type Frame, type ReportedError, reportOf } from "./error_report.ts";
import { SCRIPT, STYLE } from "./page_assets.ts";

/** What a page has to know of the process that serves. */
export interface Served {
  /** A text that is different for each worker. */
  readonly worker: string;
  /** Path at which the server says which worker serves, below the mount point. */
  readonly path: string;
}

const INDEX = "<!doctype html>"; // no-quirks mode

/** The response to a request that failed with `error`. */
export function failurePage(error: unknown, environ: Environ, served: Served): FailurePage {
  const status = "500 Internal Server Error";
  const common: [string, string][] = [["Cache-Control", "no-store"], ["X-Content-Type-Options", "nosniff"]];
  if (!wantsPage(environ.HTTP_ACCEPT)) {
    const line = `${environ.REQUEST_METHOD} ${environ.REQUEST_URI}`;
    const headers: [string, string][] = [["Content-Type", "text/plain; charset=utf-8"], ...common];
    return { status, headers, body: `${line}\n\n${errorText(error)}\n` };
  }
  const policy = `default-src 'none'; connect-src 'self'; style-src ${hashOf(STYLE)}; script-src ${hashOf(SCRIPT)}; ` +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  const headers: [string, string][] = [
    ["Content-Type", "text/html; charset=utf-8"],
    ["Content-Security-Policy", policy],
    ...common,
  ];
  return { status, headers, body: pageOf(reportOf(error), environ, served) };
}

/** Whether a client names HTML among what it accepts. Browsers do; curl accepts everything and names nothing. */
function wantsPage(accept: unknown): boolean {
  return /\btext\/html\b(?!\s*;\s*q=0(?:\.0*)?(?:[,;\s]|$))/i.test(String(accept ?? ""));
}

function hashOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}

function pageOf(report: readonly ReportedError[], environ: Environ, { worker, path }: Served): string {
  const [error] = report as [ReportedError];
  const title = `${error.name}: ${error.message}`;
  const poll = `${environ.SCRIPT_NAME ?? ""}${path}`;
  const get = environ.REQUEST_METHOD === "GET";
  return `${INDEX}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${STYLE}</style>
</head>
<body data-worker="${escaped(worker)}" data-poll="${escaped(poll)}" data-reload="${get ? "yes" : "no"}">
<p id="changed" role="status" hidden></p>
<header>
<p class="request"><b>${escaped(environ.REQUEST_METHOD)}</b> ${escaped(environ.REQUEST_URI)}</p>
${titleOf(error, "h1")}
</header>
<main>
${report.map((one, i) => section(one, i)).join("\n")}
${table("Request", fieldsOf(environ))}
${table("Environ", othersOf(environ))}
</main>
<footer><p>This page is shown by <code>tsgi dev</code> only. The error log has the same error.</p></footer>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function titleOf({ name, message }: ReportedError, element: string): string {
  return `<${element}><span class="name">${escaped(name)}</span> <span class="message">${
    escaped(message)
  }</span></${element}>`;
}

/**
 * An error with its frames. The frame to look at first is open: the first one of the program's own code. Frames of other
 * code are put away, as many as follow one another.
 */
function section(error: ReportedError, index: number): string {
  const first = error.frames.findIndex(({ own }) => own);
  const groups: Frame[][] = [];
  for (const frame of error.frames) {
    const last = groups.at(-1);
    if (!frame.own && last?.[0]?.own === false) last.push(frame);
    else groups.push([frame]);
  }
  const frames = groups.map((group) => {
    const [frame] = group as [Frame];
    const items = group.map((one) => frameOf(one, index === 0 && one === error.frames[first])).join("\n");
    if (frame.own) return items;
    const count = group.length === 1 ? "1 call" : `${group.length} calls`;
    return `<li class="others"><details${
      first < 0 ? " open" : ""
    }><summary>${count} in packages, tsgi and the runtime` +
      `</summary>\n<ol>\n${items}\n</ol></details></li>`;
  }).join("\n");
  const title = index === 0 ? "" : `<p class="cause">caused by</p>\n${titleOf(error, "h2")}\n`;
  const none = '<p class="none">It has no stack.</p>';
  return `<section>\n${title}${frames === "" ? none : `<ol class="frames">\n${frames}\n</ol>`}\n</section>`;
}

function frameOf({ call, file, line, column, own, source }: Frame, open: boolean): string {
  const name = `<code class="call">${escaped(call === "" ? "(module)" : call)}</code>`;
  const where = `<span class="where">${escaped(file)}:${line}:${column}</span>`;
  const kind = own ? "own" : "other";
  if (source === undefined) return `<li class="${kind}"><p class="frame">${name} ${where}</p></li>`;
  return `<li class="${kind}"><details${open ? " open" : ""}><summary>${name} ${where}</summary>
<pre tabindex="0">${excerpt(source, line)}</pre></details></li>`;
}

function excerpt({ first, lines }: Excerpt, executed: number): string {
  const width = String(first + lines.length).length;
  return lines.map((text, i) => {
    const number = String(first + i).padStart(width);
    const row = `<span class="number">${number}</span> ${escaped(text)}`;
    return first + i === executed ? `<mark>${row}</mark>` : row;
  }).join("\n");
}

type Row = readonly [name: string, value: string];

/** The header fields of a request, by the names that they have in HTTP. */
function fieldsOf(environ: Environ): Row[] {
  return Object.entries(environ).flatMap(([key, value]): Row[] => {
    const name = key.startsWith("HTTP_") ? key.slice(5) : key === "CONTENT_TYPE" || key === "CONTENT_LENGTH" ? key : "";
    return name === "" ? [] : [[name.toLowerCase().replaceAll("_", "-"), shown(value)]];
  });
}

function othersOf(environ: Environ): Row[] {
  return Object.entries(environ).flatMap(([key, value]): Row[] => {
    if (key.startsWith("HTTP_") || key === "CONTENT_TYPE" || key === "CONTENT_LENGTH") return [];
    return [[key, shown(value)]];
  }).toSorted(([a], [b]) => a < b ? -1 : 1);
}

function shown(value: unknown): string {
  return typeof value === "string" ? value : describe(value);
}

function table(title: string, rows: readonly Row[]): string {
  const lines = rows.map(([name, value]) => `<tr><th scope="row">${escaped(name)}</th><td>${escaped(value)}</td></tr>`);
  return `<details class="facts"><summary>${title} (${rows.length})</summary>\n<table>\n${
    lines.join("\n")
  }\n</table></details>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: unknown): string {
  return String(text).replace(/[&<>"']/g, (sign) => ENTITIES[sign] as string).replace(CONTROLS, "\ufffd");
}

// deno-lint-ignore no-control-regex
const CONTROLS = /[\0-\x08\x0b-\x1f\x7f]/g;
