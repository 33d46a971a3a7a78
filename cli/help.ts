/**
 * Generates `--help`, `--print-config` and docs/settings.md from the table of settings.
 *
 * @module
 */

import { ATOMS } from "./access_format.ts";
import { ACCESS_KEYS } from "./access_json.ts";
import { type Bind, bindText } from "./bind.ts";
import { ERROR_KEYS } from "./log.ts";
import { type Key, keys, settingOf, type Settings, topics } from "./settings/mod.ts";
import { flagOf, type Setting, variableOf } from "./settings/setting.ts";

const USAGE = "tsgi [OPTIONS] [MODULE[:NAME | :FACTORY()]] [-- ARG...]";
const WIDTH = 100;
const INDENT = 34;

/** Formats a value as the command line and `--print-config` show it. */
export function valueText(key: Key, value: unknown): string {
  if (value === null) return "none";
  if (typeof value === "function") return "a function";
  if (key === "bind") return (value as readonly Bind[]).map(bindText).join(",");
  if (key === "umask") return (value as number).toString(8).padStart(3, "0");
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.join(",");
  return value === "" ? '""' : String(value);
}

function defaultText(key: Key): string {
  const { defaultText, default: value } = settingOf(key);
  return defaultText ?? valueText(key, value);
}

/** The text of `--help`. */
export function helpText(): string {
  const lines = [
    `Usage: ${USAGE}`,
    "       tsgi dev [OPTIONS] APP",
    "       tsgi init [--template hono|express|wsgi] [--runtime node|deno|bun] [FOLDER]",
    "       tsgi cgi [--app-type TYPE] MODULE[:NAME]",
    "",
    "Serves an application of WSGI, Hono, Express or another framework, or a program that listens by",
    "itself, with worker processes on this runtime. dev watches the code and shows errors. init makes",
    "a project to begin with. cgi answers the request of a CGI script. An application that is named dev,",
    "init or cgi is ./dev, ./init or ./cgi.",
  ];
  const options: [string, string][] = [["-h, --help", "Shows this."], ["-v, --version", "Shows the version."]];
  lines.push("", "Options:", ...options.flatMap(([left, right]) => columns(left, right)));
  for (const [title, settings] of topics) {
    const rows = (Object.keys(settings) as Key[]).filter((key) => settingOf(key).kind.code !== true).flatMap((key) => {
      const { short, kind, help } = settingOf(key);
      const left = `${short === undefined ? "    " : `-${short}, `}${flagOf(key)}${metavar(kind.metavar)}`;
      const shown = kind.metavar === "" ? "" : ` [${defaultText(key)}]`;
      return columns(left, `${summary(help)}${choices(settingOf(key))}${shown}`);
    });
    if (rows.length > 0) lines.push("", `${title}:`, ...rows);
  }
  lines.push("", "Each has a name in the configuration file and in the environment: --keep-alive is keepAlive and");
  lines.push("TSGI_KEEP_ALIVE. docs/settings.md says more.");
  return `${lines.join("\n")}\n`;
}

function metavar(name: string): string {
  return name === "" ? "" : ` ${name}`;
}

function choices(setting: Setting<unknown>): string {
  return setting.kind.metavar === "WORD" ? ` ${setting.kind.expected.replace(/^one/, "One")}.` : "";
}

/** The first sentence of a help text, without Markdown. */
function summary(help: string): string {
  return (/^.*?[.](?= |$)/.exec(help)?.[0] ?? help).replaceAll("`", "");
}

function columns(left: string, right: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of right.split(" ")) {
    if (line !== "" && line.length + word.length + 1 > WIDTH - INDENT) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  lines.push(line);
  const first = `  ${left}`.padEnd(INDENT);
  const head = first.length > INDENT || first.endsWith(" ") === false ? [`  ${left}`, " ".repeat(INDENT) + lines[0]] : [
    first + lines[0],
  ];
  return [...head, ...lines.slice(1).map((one) => " ".repeat(INDENT) + one)];
}

/** The text of `--print-config`: one line for each setting, sorted by name. */
export function configText(settings: Settings): string {
  const names = keys.filter((key) => settingOf(key).only !== "command line").toSorted();
  return names.map((key) => `${key} = ${valueText(key, settings[key])}\n`).join("");
}

/** The text of docs/settings.md. */
export function settingsPage(): string {
  const page = [
    "# Settings",
    "",
    "What `tsgi` may be told. This page is made from the table in `cli/settings/`: `npm run docs:settings`.",
    "",
    "A value on the command line wins over one in the environment, that over the configuration file, and that over the",
    "default. Times are in seconds. A setting that is unknown or has a value it cannot have is one line on standard error",
    "and exit status 2. SIGHUP reads the configuration file anew; settings marked * keep their value until a new start.",
    "",
    "```ts",
    "// tsgi.config.ts",
    "export default {",
    '  bind: ["127.0.0.1:8000", "unix:/run/tsgi.sock"],',
    '  workers: "auto",',
    '  accessLogfile: "-",',
    '  whenReady: (server: { log(message: string): void }) => server.log("ready"),',
    "};",
    "```",
  ];
  for (const [title, settings] of topics) {
    page.push("", `## ${title}`);
    for (const key of Object.keys(settings) as Key[]) page.push("", ...section(key));
    if (title === "Logs") page.push("", ...logForms());
  }
  return `${page.join("\n")}\n`;
}

function section(key: Key): string[] {
  const setting = settingOf(key);
  const { kind, short, help, restart, only } = setting;
  const names: string[] = [];
  if (kind.code !== true) {
    const both = `${short === undefined ? "" : `-${short}, `}${flagOf(key)}`;
    names.push(`\`${both}${metavar(kind.metavar)}\``);
    if (only !== "command line") names.push(`\`${variableOf(key)}\``);
  }
  const rows = [
    `### ${key}${restart === true ? " *" : ""}`,
    "",
    ...(names.length === 0 ? [] : [names.join(" · "), ""]),
  ];
  rows.push(...paragraph(help));
  if (kind.code !== true) {
    const value = setting.defaultText ?? `\`${valueText(key, setting.default)}\``;
    rows.push("", ...paragraph(`Takes ${kind.expected.replaceAll("*", "\\*")}. Default: ${value}.`));
  }
  return rows;
}

/** The tables of what a line of a log may contain. */
function logForms(): string[] {
  const atoms = Object.entries(ATOMS).map(([atom, meaning]): Row => [`\`%(${atom})s\``, meaning]);
  const keysOf = (all: readonly Row[]): Row[] => all.map(([key, meaning]) => [`\`${key}\``, meaning]);
  const access = keysOf(Object.entries(ACCESS_KEYS).map(([key, { meaning }]) => [key, meaning]));
  return [
    ...tableOf("Atoms of the access log", "atom", atoms),
    "",
    ...tableOf("Keys of `--access-log-json`", "key", access),
    "",
    "What there is not is `null`. A character above `~` is written `\\u00e9`; it stands for an octet, as in the environ.",
    "",
    ...tableOf("Keys of `--error-log-json`", "key", keysOf(Object.entries(ERROR_KEYS))),
  ];
}

type Row = readonly [name: string, meaning: string];

function tableOf(title: string, name: string, rows: readonly Row[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  const most = Math.max(...rows.map(([, right]) => right.length));
  const line = (left: string, right: string): string => `| ${left.padEnd(width)} | ${right.padEnd(most)} |`;
  return [
    `### ${title}`,
    "",
    line(name, "meaning"),
    `| ${"-".repeat(width)} | ${"-".repeat(most)} |`,
    ...rows.map(([left, right]) => line(left, right)),
  ];
}

/** Wraps a text into lines of at most 120 columns. */
function paragraph(text: string): string[] {
  const lines: string[] = [""];
  for (const word of text.split(" ")) {
    const last = lines.length - 1;
    const joined = lines[last] === "" ? word : `${lines[last]} ${word}`;
    if (joined.length > 120) lines.push(word);
    else lines[last] = joined;
  }
  return lines;
}
