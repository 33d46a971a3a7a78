/** The tables of conditional requests, ranges, codings and media types, without a server. */

import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { httpDate, isNotModified, precondition, rangeApplies } from "../../middleware/representation/conditions.ts";
import { chooseEncoding } from "../../middleware/representation/encodings.ts";
import { isCompressible, mediaType } from "../../middleware/representation/media_types.ts";
import { parseRange } from "../../middleware/representation/ranges.ts";
import { isServedName, segmentsOf } from "../../middleware/files/path.ts";
import { attachment } from "../../middleware/send_file.ts";
import { createEnviron } from "../../testing/mod.ts";
import { projectPath } from "../server_process.ts";

const DATE = "Fri, 02 Jan 2026 03:04:05 GMT";
const BEFORE = "Fri, 02 Jan 2026 03:04:04 GMT";
const AFTER = "Fri, 02 Jan 2026 03:04:06 GMT";
const modified = httpDate(DATE) as number;
const strong = { etag: '"a"', modified, strongDate: true };
const weak = { etag: 'W/"a"', modified, strongDate: false };

describe("19. conditions", () => {
  type Headers = Record<string, string>;
  const table: [headers: Headers, validators: object, status: number][] = [
    [{}, strong, 200],
    [{ "If-None-Match": '"a"' }, strong, 304],
    [{ "If-None-Match": 'W/"a"' }, strong, 304],
    [{ "If-None-Match": '"a"' }, weak, 304],
    [{ "If-None-Match": '"b", , "a"' }, strong, 304],
    [{ "If-None-Match": "*" }, strong, 304],
    [{ "If-None-Match": '"b"' }, strong, 200],
    [{ "If-None-Match": "a" }, strong, 200],
    [{ "If-None-Match": '"a" junk' }, strong, 200],
    [{ "If-None-Match": '"a" "b"' }, strong, 200],
    [{ "If-None-Match": ' , "b" ,\t"a" , ' }, strong, 304],
    [{ "If-None-Match": "," }, strong, 200],
    [{ "If-None-Match": '"b,"a""' }, strong, 200],
    [{ "If-None-Match": '"a"' }, {}, 200],
    [{ "If-None-Match": '"b"', "If-Modified-Since": AFTER }, strong, 200], // the date does not count
    [{ "If-Modified-Since": DATE }, strong, 304],
    [{ "If-Modified-Since": AFTER }, strong, 304],
    [{ "If-Modified-Since": BEFORE }, strong, 200],
    [{ "If-Modified-Since": "yesterday" }, strong, 200],
    [{ "If-Modified-Since": DATE }, { etag: '"a"' }, 200],
    [{ "If-Match": '"a"' }, strong, 200],
    [{ "If-Match": "*" }, strong, 200],
    [{ "If-Match": '"b"' }, strong, 412],
    [{ "If-Match": 'W/"a"' }, strong, 412],
    [{ "If-Match": 'W/"a"' }, weak, 412],
    [{ "If-Match": '"a"', "If-Unmodified-Since": BEFORE }, strong, 200],
    [{ "If-Match": '"a"', "If-None-Match": '"a"' }, strong, 304],
    [{ "If-Match": '"b"', "If-None-Match": '"a"' }, strong, 412],
    [{ "If-Unmodified-Since": BEFORE }, strong, 412],
    [{ "If-Unmodified-Since": DATE }, strong, 200],
    [{ "If-Unmodified-Since": "junk" }, strong, 200],
    [{ "If-Unmodified-Since": BEFORE, "If-None-Match": '"a"' }, strong, 412],
  ];
  it.each(table)("%j of %j gives %i", (headers, validators, status) => {
    const environ = createEnviron({ headers });
    expect(precondition(environ, validators)).toBe(status);
    if (!("If-Match" in headers || "If-Unmodified-Since" in headers)) {
      expect(isNotModified(environ, validators)).toBe(status === 304);
    }
  });

  // The expression for a list was once one that tries every way to divide the white space.
  it.each([" , ", ",\t", ", ", '"b" ,\t'])("a list of 1,000 times %j costs no more than its length", (member) => {
    const field = `"b",${member.repeat(1000)}x`;
    const began = performance.now();
    expect(isNotModified(createEnviron({ headers: { "If-None-Match": field } }), strong)).toBe(false);
    expect(precondition(createEnviron({ headers: { "If-Match": field } }), strong)).toBe(412);
    expect(parseRange(`bytes=0-1,${member.repeat(1000)}x`, 100)).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(1000);
  });

  const ifRange: [field: string, validators: object, applies: boolean][] = [
    ['"a"', strong, true],
    ['"b"', strong, false],
    ['W/"a"', strong, false],
    ['W/"a"', weak, false],
    ['"a"', weak, false],
    [DATE, strong, true],
    [AFTER, strong, false],
    [DATE, weak, false],
    ["junk", strong, false],
    ['"a", "b"', strong, false],
  ];
  it.each(ifRange)("If-Range: %s of %j: %s", (field, validators, applies) => {
    expect(rangeApplies(createEnviron({ headers: { "If-Range": field } }), validators)).toBe(applies);
  });

  const dates: [string, number | undefined][] = [
    ["Sun, 06 Nov 1994 08:49:37 GMT", 784111777],
    ["Sunday, 06-Nov-94 08:49:37 GMT", 784111777],
    ["Sun Nov  6 08:49:37 1994", 784111777],
    ["Sun, 31 Feb 2026 08:49:37 GMT", undefined],
    ["Sun, 06 Nov 1994 24:49:37 GMT", undefined],
    ["Sun, 06 Foo 1994 08:49:37 GMT", undefined],
    ["1994-11-06T08:49:37Z", undefined],
    ["0", undefined],
    ["", undefined],
  ];
  it.each(dates)("the date %s is %s", (text, seconds) => expect(httpDate(text)).toBe(seconds));
});

describe("19. ranges of 100 octets", () => {
  const table: [field: string, result: string][] = [
    ["bytes=0-9", "0-10"],
    ["bytes=90-", "90-100"],
    ["bytes=-10", "90-100"],
    ["bytes=-1000", "0-100"],
    ["bytes=95-1000", "95-100"],
    ["BYTES=0-0", "0-1"],
    ["bytes= 0-1 , 5-6", "0-2 5-7"],
    ["bytes=0-1,,5-6,", "0-2 5-7"],
    ["bytes= , 0-1", "0-2"],
    ["bytes=,", "whole"],
    ["bytes=0-1 5-6", "whole"],
    ["bytes=50-59,0-9", "50-60 0-10"],
    ["bytes=0-9,200-300", "0-10"],
    ["bytes=100-", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    ["bytes=100-,-0", "unsatisfiable"],
    ["bytes=0-9,5-14", "whole"],
    ["bytes=0-,0-,0-", "whole"],
    [`bytes=${Array.from({ length: 17 }, (_, i) => `${i * 2}-${i * 2}`)}`, "whole"],
    ["bytes=9-0", "whole"],
    ["bytes=", "whole"],
    ["bytes=a-b", "whole"],
    ["bytes=1-2-3", "whole"],
    ["bytes=-", "whole"],
    ["bytes=0-1;5-6", "whole"],
    ["lines=0-9", "whole"],
    ["0-9", "whole"],
  ];
  it.each(table)("%s: %s", (field, result) => {
    const spans = parseRange(field, 100);
    const shown = typeof spans === "object" ? spans.map(({ start, end }) => `${start}-${end}`).join(" ") : spans;
    expect(shown ?? "whole").toBe(result);
  });
  it("no range of nothing", () => expect(parseRange("bytes=0-", 0)).toBeUndefined());
});

describe("19. codings", () => {
  const table: [field: string | undefined, available: string, chosen: string | undefined][] = [
    [undefined, "br gzip", undefined],
    ["", "br gzip", undefined],
    ["gzip, br", "br gzip", "br"],
    ["gzip", "br gzip", "gzip"],
    ["gzip;q=1.0, br;q=0.5", "br gzip", "gzip"],
    ["GZIP ; q=0.3", "br gzip", "gzip"],
    ["x-gzip", "br gzip", "gzip"],
    ["*", "br gzip", "br"],
    ["*;q=0", "br gzip", undefined],
    ["br;q=0, *", "br gzip", "gzip"],
    ["br;q=0", "br", undefined],
    ["identity, gzip;q=0.5", "br gzip", undefined],
    ["identity;q=0.5, gzip;q=0.5", "br gzip", "gzip"],
    ["identity;q=0", "br", undefined],
    ["gzip;q=2, br;q=x", "br gzip", undefined],
    ["gzip;q=.9, br;q=.5", "br gzip", "gzip"],
    ["gzip;q=0.0, br;q=", "br gzip", undefined],
    ["deflate, zstd", "br gzip", undefined],
  ];
  it.each(table)("Accept-Encoding: %s of %s gives %s", (field, available, chosen) => {
    expect(chooseEncoding(field, available.split(" "))).toBe(chosen);
  });
});

test("19. media types", () => {
  expect(["a.html", "A.JS", "x/y.tar.gz", ".png", "noext", "a.b/c", "a."].map((name) => mediaType(name))).toEqual([
    "text/html; charset=utf-8",
    "text/javascript; charset=utf-8",
    "application/gzip",
    "image/png",
    ...Array(3).fill("application/octet-stream"),
  ]);
  expect(mediaType("a.constructor", {})).toBe("application/octet-stream");
  expect(mediaType("a.html", { html: "text/plain" })).toBe("text/plain");
  const yes = [
    "text/html; charset=utf-8",
    "application/json",
    "image/svg+xml",
    "application/ld+json;a=b",
    "font/ttf",
    "application/yaml",
    "application/openapi+yaml",
    "application/x-www-form-urlencoded",
  ];
  const no = ["image/png", "video/mp4", "application/zip", "font/woff2", "application/octet-stream", ""];
  expect([...yes, ...no].filter(isCompressible)).toEqual(yes);
});

test("19. names of files by the rules of Windows", () => {
  const refused = "con CON.txt nul.tar.gz aux prn com1 LPT9.x COM¹ a: a::$DATA C: a. a.. x?y a* a|b a<b PROGRA~1 conin$"
    .split(" ");
  expect([...refused, "a ", 'a"b'].filter((name) => isServedName(name, [], true))).toEqual([]);
  const served = ["console", "a.b", "com", "com10", "aux1", "a b", "nully.txt", "~a"];
  expect(served.filter((name) => !isServedName(name, [], true))).toEqual([]);
  expect(segmentsOf("/a/CON", [], true)).toBeUndefined();
  expect(segmentsOf("/a/CON", [], false)).toEqual(["a", "CON"]);
});

test("19. sendFile: names for downloads", () => {
  expect([
    "a.txt",
    'a"b.txt',
    "50%.txt",
    "größe €.txt",
    "it's (1)*é.txt",
    "a/b\\c\r\nd",
    "\ud800",
    "日本.pdf",
  ].map(attachment)).toEqual([
    `attachment; filename="a.txt"`,
    `attachment; filename="a\\"b.txt"`,
    `attachment; filename="50_.txt"; filename*=UTF-8''50%25.txt`,
    `attachment; filename="gr__e _.txt"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%E2%82%AC.txt`,
    `attachment; filename="it's (1)*_.txt"; filename*=UTF-8''it%27s%20%281%29%2A%C3%A9.txt`,
    `attachment; filename="a_b_c__d"`,
    `attachment; filename="_"`,
    `attachment; filename="__.pdf"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.pdf`,
  ]);
});

test("19. docs/static_files.md has every option of staticFiles, and no other", () => {
  const read = (path: string): string => readFileSync(projectPath(path), "utf8");
  const source = /interface StaticFilesOptions \{([^]*?)\n\}/.exec(read("middleware/static_files.ts"))?.[1] ?? "";
  const options = [...source.matchAll(/^ {2}readonly (\w+)\?/gm)].map(([, name]) => name);
  const table = read("docs/static_files.md").split("\n## ").find((part) => part.startsWith("Options\n")) ?? "";
  expect(options.length).toBeGreaterThan(5);
  expect([...table.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name)).toEqual(options);
});
