/**
 * Checks the environ that a server gives (PEP 3333, "environ Variables").
 *
 * The rules form a table. Each row holds a rule and a function that looks for a violation. It returns a description of
 * the violation, or null.
 *
 * @module
 */

import { describe } from "../../core/errors.ts";
import { BEYOND_LATIN1, DIGITS } from "../../core/grammar.ts";
import { guessScheme } from "../util.ts";
import { type Bound, type Mode, type Rule, type Theme, WsgiViolation } from "./rules.ts";

type Bag = Readonly<Record<string, unknown>>;

interface Row {
  readonly id: string;
  readonly text: string;
  readonly mode?: Mode;
  /** Describes what breaks the rule, or returns null. */
  find(environ: Bag): string | null;
}

const rows: readonly Row[] = [
  {
    id: "E01",
    text: "The environ is a plain, extensible object whose members are writable data properties. The application may " +
      "change it freely; no change reaches another request.",
    find: (environ) => {
      const prototype: unknown = Object.getPrototypeOf(environ);
      if (prototype !== Object.prototype && prototype !== null) return "the environ has a class";
      if (!Object.isExtensible(environ)) return "the environ cannot be extended";
      for (const [key, property] of Object.entries(Object.getOwnPropertyDescriptors(environ))) {
        if (property.writable !== true || property.configurable !== true || property.enumerable !== true) {
          return `${key} is no plain writable property`;
        }
      }
      return null;
    },
  },
  {
    id: "E02",
    text: "`REQUEST_METHOD` is present and not empty, in the letter case that the client sent.",
    find: (environ) => missing(environ, "REQUEST_METHOD"),
  },
  {
    id: "E03",
    text: "`SERVER_NAME` and `SERVER_PORT` are present, not empty, and strings; the port is decimal digits.",
    find: (environ) =>
      missing(environ, "SERVER_NAME") ?? missing(environ, "SERVER_PORT") ??
        (DIGITS.test(String(environ.SERVER_PORT)) ? null : `SERVER_PORT is ${describe(environ.SERVER_PORT)}`),
  },
  {
    id: "E04",
    text: '`SCRIPT_NAME` is present, empty or beginning with a slash, and never exactly `"/"`.',
    find: ({ SCRIPT_NAME: name }) =>
      isPath(name) && name !== "/" ? null : `SCRIPT_NAME is ${describe(name)}; expected "" or a path that is not "/"`,
  },
  {
    id: "E05",
    text:
      '`PATH_INFO` is present, empty or beginning with a slash; it is not empty where `SCRIPT_NAME` is: at least `"/"`.',
    find: ({ SCRIPT_NAME: name, PATH_INFO: path }) => {
      if (!isPath(path)) return `PATH_INFO is ${describe(path)}; expected "" or a path`;
      return name === "" && path === "" ? "SCRIPT_NAME and PATH_INFO are both empty" : null;
    },
  },
  {
    id: "E08",
    text: '`QUERY_STRING` is always present: `""` when there is none.',
    find: ({ QUERY_STRING: query }) => typeof query === "string" ? null : `QUERY_STRING is ${describe(query)}`,
  },
  {
    id: "E09",
    text:
      "The Content-Type and Content-Length fields are `CONTENT_TYPE` and `CONTENT_LENGTH`; `HTTP_CONTENT_TYPE` and " +
      "`HTTP_CONTENT_LENGTH` never exist.",
    find: (environ) => present(environ, "HTTP_CONTENT_TYPE") ?? present(environ, "HTTP_CONTENT_LENGTH"),
  },
  {
    id: "E10",
    text: "`CONTENT_LENGTH`, where it is present and not empty, is decimal digits.",
    find: ({ CONTENT_LENGTH: length }) =>
      length === undefined || length === "" || (typeof length === "string" && DIGITS.test(length))
        ? null
        : `CONTENT_LENGTH is ${describe(length)}`,
  },
  {
    id: "E11",
    text: "The server undoes transfer codings: `HTTP_TRANSFER_ENCODING` never exists. A chunked body has no " +
      "`CONTENT_LENGTH`; `wsgi.input_terminated` is true, and the input ends where the body ends.",
    find: (environ) => {
      const terminated = environ["wsgi.input_terminated"];
      if (terminated !== undefined && typeof terminated !== "boolean") {
        return `wsgi.input_terminated is ${describe(terminated)}; expected true or false`;
      }
      return present(environ, "HTTP_TRANSFER_ENCODING");
    },
  },
  {
    id: "E12",
    text: "`SERVER_PROTOCOL` is present: the version that the client speaks, as `HTTP/1.1`.",
    find: ({ SERVER_PROTOCOL: protocol }) =>
      typeof protocol === "string" && /^(?:HTTP\/[0-9](?:\.[0-9])?|INCLUDED)$/.test(protocol)
        ? null
        : `SERVER_PROTOCOL is ${describe(protocol)}`,
  },
  {
    id: "E13",
    text:
      "Every other field is `HTTP_` and its name in upper case with `_` for `-`. Repeated fields are joined with a " +
      'comma, in order; an empty field is present as `""`.',
    find: (environ) => {
      const odd = Object.keys(environ).find((key) => /^HTTP_/i.test(key) && !/^HTTP_[^a-z\- ]*$/.test(key));
      return odd === undefined ? null : `there is a key ${odd}`;
    },
  },
  {
    id: "E15",
    text: "Every key without a dot has a string as its value.",
    find: (environ) => undotted(environ, (value) => typeof value !== "string"),
  },
  {
    id: "E16",
    text: "Every such string is latin-1: one code unit, up to U+00FF, is one octet.",
    find: (environ) => undotted(environ, (value) => typeof value === "string" && BEYOND_LATIN1.test(value)),
  },
  {
    id: "E17",
    text:
      '`wsgi.version` is `[1, 0]`; `wsgi.url_scheme` is `"http"` or `"https"`; `wsgi.input` and `wsgi.errors` are ' +
      "present; `wsgi.multithread`, `wsgi.multiprocess` and `wsgi.run_once` are present and are true or false.",
    find: (environ) => {
      const version = environ["wsgi.version"];
      if (!Array.isArray(version) || version.join() !== "1,0") return `wsgi.version is ${describe(version)}`;
      const scheme = environ["wsgi.url_scheme"];
      if (scheme !== "http" && scheme !== "https") return `wsgi.url_scheme is ${describe(scheme)}`;
      for (const key of ["wsgi.input", "wsgi.errors"]) {
        if (typeof environ[key] !== "object" || environ[key] === null) return `${key} is ${describe(environ[key])}`;
      }
      for (const key of ["wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once"]) {
        if (typeof environ[key] !== "boolean") return `${key} is ${describe(environ[key])}`;
      }
      return null;
    },
  },
  {
    id: "E18",
    text: "`HTTPS`, where it is `on`, `1` or `yes`, agrees with `wsgi.url_scheme`: then that is `https`.",
    find: (environ) =>
      guessScheme(environ) === "https" && environ["wsgi.url_scheme"] !== "https"
        ? `HTTPS is ${describe(environ.HTTPS)}, wsgi.url_scheme is ${describe(environ["wsgi.url_scheme"])}`
        : null,
  },
  {
    id: "E19",
    mode: "strict",
    text: "What is not known is absent, not empty: `REMOTE_ADDR`, `REMOTE_PORT`, `REMOTE_USER`, `AUTH_TYPE`.",
    find: (environ) => {
      const empty = ["REMOTE_ADDR", "REMOTE_PORT", "REMOTE_USER", "AUTH_TYPE"].find((key) => environ[key] === "");
      return empty === undefined ? null : `${empty} is empty`;
    },
  },
  {
    id: "E23",
    text: "A field of the client never becomes a variable that programs take for their own: `HTTP_PROXY` never exists.",
    find: (environ) => present(environ, "HTTP_PROXY"),
  },
  {
    id: "E24",
    mode: "strict",
    text: "Keys with a dot are `vendor.name` in lower case letters, digits, dots and underscores.",
    find: (environ) => {
      const odd = Object.keys(environ).find((key) =>
        key.includes(".") && !key.startsWith("HTTP_") && !/^[a-z0-9_]+(?:\.[a-z0-9_]+)+$/.test(key)
      );
      return odd === undefined ? null : `there is a key ${odd}`;
    },
  },
  {
    id: "I01",
    text: "`wsgi.input` has the methods `read`, `readline`, `readlines`, and is an async iterable.",
    find: (environ) => methods(environ, "wsgi.input", ["read", "readline", "readlines", Symbol.asyncIterator]),
  },
  {
    id: "X01",
    text: "`wsgi.errors` has the methods `write`, `writelines` and `flush`.",
    find: (environ) => methods(environ, "wsgi.errors", ["write", "writelines", "flush"]),
  },
  {
    id: "W01",
    text: "`wsgi.file_wrapper`, where there is one, is a function `(file, blockSize?)` that gives an iterable body. " +
      "Nothing is read before that body is returned.",
    find: ({ "wsgi.file_wrapper": wrapper }) =>
      wrapper === undefined || typeof wrapper === "function" ? null : `wsgi.file_wrapper is ${describe(wrapper)}`,
  },
];

function missing(environ: Bag, key: string): string | null {
  return typeof environ[key] === "string" && environ[key] !== "" ? null : `${key} is ${describe(environ[key])}`;
}

function present(environ: Bag, key: string): string | null {
  return Object.hasOwn(environ, key) ? `there is a key ${key}` : null;
}

function isPath(value: unknown): value is string {
  return typeof value === "string" && (value === "" || value.startsWith("/"));
}

function undotted(environ: Bag, isWrong: (value: unknown) => boolean): string | null {
  const odd = Object.keys(environ).find((key) => !key.includes(".") && isWrong(environ[key]));
  return odd === undefined ? null : `${odd} is ${describe(environ[odd])}`;
}

function methods(environ: Bag, key: string, names: readonly (string | symbol)[]): string | null {
  const stream = environ[key] as Readonly<Record<string | symbol, unknown>> | null | undefined;
  if (stream === null || typeof stream !== "object") return `${key} is ${describe(stream)}`;
  const lacking = names.find((name) => typeof stream[name] !== "function");
  return lacking === undefined ? null : `${key} has no ${String(lacking)}`;
}

const bound: Bound = "server";
const rules: readonly (readonly [Rule, Row])[] = rows.map((row) => [
  { id: row.id, bound, mode: row.mode ?? "always", text: row.text },
  row,
]);

/** The rules of the environ. */
export const environTheme: Theme = {
  title: "The environ",
  introduction:
    "What a server calls an application with. Text that comes from the client is latin-1, a code unit an octet.",
  checked: rules.map(([rule]) => rule),
  unchecked: [
    {
      id: "E06",
      bound,
      text:
        "`SCRIPT_NAME` + `PATH_INFO` is the decoded path that was asked for. Mounting moves a prefix from the one to " +
        "the other, on a segment boundary.",
      reason:
        "the path that was asked for is not in the environ of PEP 3333; the behaviour suite checks it on every host",
    },
    {
      id: "E07",
      bound,
      text: "Percent-escapes of the path are decoded once; the octets become code units. The query is never decoded.",
      reason: "decoded text does not show how often it was decoded; the behaviour suite checks it",
    },
    {
      id: "E14",
      bound,
      text: "Fields whose name has an underscore are dropped unless the server is told otherwise: they pose as the " +
        "dashed name.",
      reason: "what was dropped cannot be seen; the behaviour suite checks it",
    },
    {
      id: "E21",
      bound,
      text:
        "The URL can be reconstructed: `HTTP_HOST`, else `SERVER_NAME` and a `SERVER_PORT` other than the usual; then " +
        "`SCRIPT_NAME` and `PATH_INFO`, quoted; then the query, where there is one.",
      reason: "it follows from E03, E04, E05, E08 and E17; the behaviour suite compares URLs",
    },
    {
      id: "E22",
      bound,
      text: "`X-Forwarded-*` changes nothing unless it comes from a peer the server was told to trust.",
      reason: "the validator does not know the peer; the behaviour suite checks it",
    },
  ],
};

/**
 * Checks the environ that a server passes to an application.
 *
 * @throws {WsgiViolation} naming the first rule that is broken.
 */
export function checkEnviron(environ: Bag, strict: boolean): void {
  for (const [rule, row] of rules) {
    if (rule.mode === "strict" && !strict) continue;
    const found = row.find(environ);
    if (found !== null) throw new WsgiViolation(rule, found);
  }
}
