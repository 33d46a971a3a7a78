/** Section 1 of the gateway rules: environ. @module */

import { expect } from "vitest";
import { textOf } from "../response.ts";
import type { Case } from "../trial.ts";
import { unchunked } from "./reasons.ts";

const RAW = "the host's URL parser normalises the target before the adapter sees it";
const VERSION = "a Request does not tell the client's HTTP version";
const MAPPED = "the front end maps the names of fields itself";
const UNDERSCORE = {
  nginx: "nginx drops fields with an underscore itself",
  cgi: MAPPED,
  fastcgi: MAPPED,
  scgi: MAPPED,
  uwsgi: MAPPED,
};
const FOLDED = "the front end decodes and normalises the path that it gives";
const APACHES = new Set(["CONTEXT_PREFIX", "SERVER_SIGNATURE"]); // its own variables, often empty
const MALFORMED = { front: "the front end refuses a malformed escape" };
const ESCAPES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "/%2F": { cgi: "Apache folds slashes", "apache-uwsgi": "Apache folds slashes" },
  "/a%00b": { front: "the front end refuses %00" },
  "/%zz": MALFORMED,
  "/%4": MALFORMED,
  "/%": MALFORMED,
  "/%%41": MALFORMED,
};
const JOINED = "Headers joins repeated fields itself, with a comma and a space";

/** Cases E. */
export const environCases: readonly Case[] = [
  {
    title: "E01 environ is a plain object of writable data properties",
    check: async (t) => {
      const dump = await t.environ("/environ");
      expect(dump.plain).toBe(true);
      expect(dump.inherited).toEqual([]);
    },
  },
  {
    title:
      "E01 what an application does to its environ does not reach the next request, identical requests on one connection",
    check: async (t) => {
      const client = await t.connect();
      const target = t.target("/scribble?a=b");
      const headers = [["X-One", "1"], ["Accept", "*/*"]] as const;
      const seen: unknown[] = [];
      for (let i = 0; i < 4; i++) {
        await client.request("GET", target, { headers });
        seen.push(JSON.parse(textOf(await client.response())));
      }
      expect(Object.keys((seen[0] as { types: object }).types).length).toBeGreaterThan(18);
      expect(JSON.stringify(seen)).not.toMatch(/leak|scribbled/);
      for (const other of seen.slice(1)) expect(other).toEqual(seen[0]);
    },
  },
  {
    title: "E02 REQUEST_METHOD is verbatim, known and unknown methods",
    check: async (t) => {
      for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
        expect((await t.environ("/environ", { method })).strings.REQUEST_METHOD).toBe(method);
      }
    },
  },
  {
    title: "E02 extension methods reach the application",
    check: async (t) => {
      for (const method of ["PURGE", "M-SEARCH"]) {
        expect((await t.environ("/environ", { method })).strings.REQUEST_METHOD).toBe(method);
      }
    },
  },
  {
    title: "E02 REQUEST_METHOD keeps its letter case, and is any token",
    not: {
      "bun-fetch": "Bun.serve closes the connection on a known method in lower case",
      nginx: "nginx answers 400 to a method in lower case",
    },
    check: async (t) => {
      for (const method of ["get", "pOsT", "x!#$%&'*+-.^_`|~1"]) {
        expect((await t.environ("/environ", { method })).strings.REQUEST_METHOD).toBe(method);
      }
    },
  },
  {
    title: "E03 SERVER_NAME and SERVER_PORT are non-empty strings, with and without Host",
    check: async (t) => {
      for (const init of [{}, { version: "HTTP/1.0", host: null }]) {
        const { strings } = await t.environ("/environ", init);
        expect(strings.SERVER_NAME).toMatch(/./);
        expect(strings.SERVER_PORT).toMatch(/^[0-9]+$/);
      }
    },
  },
  ...([["without Host", { version: "HTTP/1.0", host: null }, {}], [
    "in HTTP/1.0 with Host",
    { version: "HTTP/1.0" },
    {},
  ], [
    "with an empty Host",
    { host: "" },
    { front: "the front end answers 400 to an empty Host" },
  ]] as const).map(([what, init, not]): Case => ({
    title: `E03 SERVER_NAME and SERVER_PORT come from the socket ${what}`,
    not: { fetch: "the host makes the URL up where there is no Host", ...not },
    check: async (t) => {
      const { strings } = await t.environ("/environ", init);
      expect(strings.SERVER_PORT).toBe(String(t.cell.serverPort));
      expect(strings.SERVER_NAME).toMatch(/./);
    },
  })),
  {
    title: "E04 SCRIPT_NAME is empty at the root, E05 PATH_INFO begins with a slash",
    check: async (t) => {
      for (const target of ["/", "/?a", "/a", "/a/b/"]) {
        const { strings } = await t.environ(target);
        expect(strings.SCRIPT_NAME).toBe("");
        expect(strings.PATH_INFO).toBe(target.replace("?a", ""));
      }
    },
  },
  {
    title: "E05 by decision, OPTIONS * has PATH_INFO / and REQUEST_URI *",
    not: { fetch: RAW, nginx: "nginx answers 400 to OPTIONS *", apache: "Apache answers OPTIONS * itself" },
    check: async (t) => {
      const { strings } = await t.environ("*", { method: "OPTIONS" });
      expect([strings.SCRIPT_NAME, strings.PATH_INFO, strings.REQUEST_URI]).toEqual(["", "/", "*"]);
    },
  },
  ...(["/app/x", "/app/x/y", "/app/", "/app"] as const).map((target): Case => ({
    title: `E06 scriptName /app takes its prefix off ${target}`,
    check: async (t) => {
      const { strings } = await t.environ(target, {}, "mounted");
      expect([strings.SCRIPT_NAME, strings.PATH_INFO]).toEqual(["/app", target.slice(4)]);
    },
  })),
  ...(["/apple", "/", "/ap", "/x/app", "/APP/x"] as const).map((target): Case => ({
    title: `E06 by decision, ${target} is outside the mount /app and keeps its whole path`,
    check: async (t) => {
      const { strings } = await t.environ(target, {}, "mounted");
      expect([strings.SCRIPT_NAME, strings.PATH_INFO]).toEqual(["", target]);
    },
  })),
  ...Object.entries({
    "/%C3%A9": "/\u00c3\u00a9",
    "/%80": "/\u0080",
    "/%2541": "/%41",
    "/a+b": "/a+b",
    "/%2F": "//",
    "/a%00b": "/a\0b",
    "/a%3Fb": "/a?b",
    "/%e9%E9": "/\u00e9\u00e9",
    "/%zz": "/%zz",
    "/%4": "/%4",
    "/%": "/%",
    "/%%41": "/%A",
    "/a%20b": "/a b",
  }).map(([target, path]): Case => ({
    title: `E07 PATH_INFO of ${target} is decoded once, one code unit a byte, malformed escapes as they are`,
    ...(Object.hasOwn(ESCAPES, target) ? { not: ESCAPES[target]! } : {}),
    check: async (t) => {
      expect((await t.environ(target)).strings.PATH_INFO).toBe(path);
    },
  })),
  ...([
    ["/\u0080\u00ff", "raw octets from 0x80 are code units too", {}],
    ["//a//b", "empty segments stay", { apache: "Apache folds slashes at the beginning of a path" }],
    ["/a/../b/./c", "dot segments stay", { cgi: FOLDED, fastcgi: FOLDED, scgi: FOLDED, uwsgi: FOLDED }],
    ['/a\\b|{}"<>^`', "octets that a URL should not have stay", {}],
  ] as const).map(([target, what, not]): Case => ({
    title: `E07 the path is not normalised: ${what}`,
    not: { fetch: RAW, ...not },
    check: async (t) => {
      const { strings } = await t.environ(target);
      expect(strings.PATH_INFO).toBe(target);
      expect(strings.REQUEST_URI).toBe(target);
    },
  })),
  {
    title: "E07 QUERY_STRING is never decoded, E08 it is always there",
    check: async (t) => {
      for (
        const [target, query] of [["/", ""], ["/x?", ""], ["/x?a=%20+%C3&%zz", "a=%20+%C3&%zz"], ["/x??a?b", "?a?b"], [
          "/x?a=/../b",
          "a=/../b",
        ]] as const
      ) {
        expect((await t.environ(target)).strings.QUERY_STRING).toBe(query);
      }
    },
  },
  {
    title: "REQUEST_URI is the target as it was sent",
    check: async (t) => {
      expect((await t.environ("/a%2Fb/%7e?c=%41&d")).strings.REQUEST_URI).toBe("/a%2Fb/%7e?c=%41&d");
    },
  },
  {
    title:
      "E09 CONTENT_TYPE and CONTENT_LENGTH carry their fields; HTTP_CONTENT_TYPE and HTTP_CONTENT_LENGTH never exist",
    check: async (t) => {
      const { strings } = await t.environ("/environ", {
        method: "POST",
        headers: [["Content-Type", "text/x; a=b"]],
        body: "12345",
      });
      expect([strings.CONTENT_TYPE, strings.CONTENT_LENGTH]).toEqual(["text/x; a=b", "5"]);
      expect(Object.keys(strings)).not.toContain("HTTP_CONTENT_TYPE");
      expect(Object.keys(strings)).not.toContain("HTTP_CONTENT_LENGTH");
    },
  },
  {
    title: "E09 CONTENT_TYPE and CONTENT_LENGTH are absent when the client sent none",
    check: async (t) => {
      const { types } = await t.environ("/environ");
      expect(types).not.toHaveProperty("CONTENT_TYPE");
      expect(types).not.toHaveProperty("CONTENT_LENGTH");
    },
  },
  {
    title: "E09 underscore names do not make HTTP_CONTENT_TYPE or HTTP_CONTENT_LENGTH, not even when they are mapped",
    check: async (t) => {
      for (const variant of ["main", "dangerous"] as const) {
        const { types } = await t.environ("/environ", {
          headers: [["Content_Type", "a/b"], ["Content_Length", "7"], ["X-Seen", "1"]],
        }, variant);
        expect(types).toHaveProperty("HTTP_X_SEEN");
        for (const name of ["HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH", "CONTENT_TYPE", "CONTENT_LENGTH"]) {
          expect(types).not.toHaveProperty(name);
        }
      }
    },
  },
  {
    title: "E10 by decision, CONTENT_LENGTH is in plain decimal: 003 becomes 3",
    check: async (t) => {
      const { strings } = await t.environ("/environ", {
        method: "POST",
        headers: [["Content-Length", "003"]],
        body: "abc",
      });
      expect(strings.CONTENT_LENGTH).toBe("3");
    },
  },
  {
    title: "E10 Content-Length: 0 is CONTENT_LENGTH 0",
    not: { "apache-scgi": "SCGI gives a length with every request, and Apache no other sign of one" },
    check: async (t) => {
      const { strings } = await t.environ("/environ", { method: "POST", body: "" });
      expect(strings.CONTENT_LENGTH ?? "absent").toBe("0");
    },
  },
  {
    title:
      "E11 by decision, a chunked body has no CONTENT_LENGTH and no HTTP_TRANSFER_ENCODING; wsgi.input_terminated is true",
    not: unchunked,
    check: async (t) => {
      const chunked = await t.environ("/environ", {
        method: "POST",
        headers: [["Transfer-Encoding", "chunked"]],
        body: "3\r\nabc\r\n0\r\n\r\n",
      });
      // A front end may have taken the body whole, and tell its length.
      if (t.cell.plan.kind !== "front") expect(chunked.types).not.toHaveProperty("CONTENT_LENGTH");
      expect(chunked.types).not.toHaveProperty("HTTP_TRANSFER_ENCODING");
      expect(chunked.inputTerminated).toBe(true);
      expect((await t.environ("/environ")).inputTerminated).toBe(true);
    },
  },
  {
    title: "E12 SERVER_PROTOCOL is the client's version",
    check: async (t) => {
      expect((await t.environ("/environ")).strings.SERVER_PROTOCOL).toBe("HTTP/1.1");
    },
  },
  ...(["HTTP/1.0", "HTTP/1.2", "HTTP/1.9"] as const).map((version): Case => ({
    title: `E12 SERVER_PROTOCOL of ${version} is what the client said, by decision above 1.1 too`,
    not: {
      fetch: VERSION,
      "nginx-http": "the front end speaks HTTP/1.1 to us, whatever the client speaks",
      "apache-http": "the front end speaks HTTP/1.1 to us, whatever the client speaks",
    },
    check: async (t) => {
      expect((await t.environ("/environ", { version })).strings.SERVER_PROTOCOL).toBe(version);
    },
  })),
  {
    title: "E13 header fields become HTTP_ names; an empty value is present as an empty string",
    check: async (t) => {
      const { strings } = await t.environ("/environ", {
        headers: [["x-lower-CASE", "a b"], ["X-Empty", ""], ["X-Num1", "  padded  "]],
      });
      expect(strings).toMatchObject({
        HTTP_X_LOWER_CASE: "a b",
        HTTP_X_EMPTY: "",
        HTTP_X_NUM1: "padded",
        HTTP_HOST: "test.example",
      });
    },
  },
  {
    title: "E13 tabs around a value are no part of it",
    check: async (t) => {
      expect((await t.environ("/environ", { headers: [["X-Tab", "\t a\tb \t"]] })).strings.HTTP_X_TAB).toBe("a\tb");
    },
  },
  {
    title: "E13 repeated fields are joined with a comma in order",
    not: { fetch: JOINED, apache: "Apache joins repeated fields itself, with a comma and a space" },
    check: async (t) => {
      const headers = [["X-Rep", "Python test"], ["X-Other", "o"], ["x-rep", "Python test 2"], ["X-REP", ""], [
        "X-Rep",
        "z",
      ]] as const;
      expect((await t.environ("/environ", { headers })).strings.HTTP_X_REP).toBe("Python test,Python test 2,,z");
    },
  },
  {
    title: "E14 names with an underscore are dropped by default, the dashed name stays",
    check: async (t) => {
      const headers = [["X_Real_Ip", "6.6.6.6"], ["X-Real-Ip", "1.1.1.1"], ["X_Only", "1"], ["_X", "1"]] as const;
      const { strings } = await t.environ("/environ", { headers });
      expect(strings.HTTP_X_REAL_IP).toBe("1.1.1.1");
      expect(Object.keys(strings)).not.toContain("HTTP_X_ONLY");
    },
  },
  {
    title: "E14 headerMap refuse answers 400 to a name with an underscore",
    not: UNDERSCORE,
    check: async (t) => {
      expect((await t.ask("/environ", { headers: [["X_Only", "1"]] }, "refuse")).status).toBe(400);
      expect((await t.ask("/environ", { headers: [["X-Only", "1"]] }, "refuse")).status).toBe(200);
      expect((await t.record()).calls).toBe(1);
    },
  },
  {
    title: "E14 headerMap dangerous maps a name with an underscore",
    not: UNDERSCORE,
    check: async (t) => {
      expect((await t.environ("/environ", { headers: [["X_Only", "1"]] }, "dangerous")).strings.HTTP_X_ONLY).toBe("1");
    },
  },
  {
    title: "E15 every key without a dot has a string value",
    check: async (t) => {
      const { types } = await t.environ("/a/b?c", {
        method: "POST",
        headers: [["Content-Type", "a/b"], ["X-A", "\u00e9"]],
        body: "x",
      });
      const undotted = Object.entries(types).filter(([key]) => !key.includes("."));
      expect(undotted.length).toBeGreaterThan(10);
      expect(undotted.filter(([, type]) => type !== "string")).toEqual([]);
    },
  },
  {
    title: "E16 every string value is latin-1, one code unit a byte",
    check: async (t) => {
      const { strings } = await t.environ("/%E2%82%AC%ff?%E2", {
        headers: [["X-Bytes", "\u00e9\u00ff\u0080\u00e2\u0082\u00ac"]],
      });
      expect(strings.HTTP_X_BYTES).toBe("\u00e9\u00ff\u0080\u00e2\u0082\u00ac");
      for (const value of Object.values(strings)) expect(value).toMatch(/^[\0-\u00ff]*$/);
    },
  },
  {
    title: "E17 the wsgi keys are there with their types",
    check: async (t) => {
      const dump = await t.environ("/environ");
      expect(dump.version).toEqual([1, 0]);
      expect(dump.scheme).toBe(t.scheme);
      expect(dump.types).toMatchObject({
        "wsgi.input": "object",
        "wsgi.errors": "object",
        "wsgi.multithread": "boolean",
        "wsgi.multiprocess": "boolean",
        "wsgi.run_once": "boolean",
        "wsgi.file_wrapper": "function",
        "wsgi.input_terminated": "boolean",
        "tsgi.request": "object",
      });
    },
  },
  {
    title: "E18 HTTPS is on with TLS, and absent without",
    check: async (t) => {
      const { strings } = await t.environ("/environ");
      expect(strings.HTTPS).toBe(t.scheme === "https" ? "on" : undefined);
    },
  },
  {
    title: "E19 REMOTE_ADDR and REMOTE_PORT are the client's, what is not known is absent",
    not: { "nginx-http": "the front end is the client", "apache-http": "the front end is the client" },
    check: async (t) => {
      const client = await t.connect();
      await client.request("GET", "/environ");
      const { strings } = JSON.parse(textOf(await client.response())) as { strings: Record<string, string> };
      expect([strings.REMOTE_ADDR, strings.REMOTE_PORT]).toEqual(["127.0.0.1", String(client.port)]);
      for (const name of ["REMOTE_USER", "REMOTE_HOST", "AUTH_TYPE", "REMOTE_IDENT"]) {
        expect(strings).not.toHaveProperty(name);
      }
    },
  },
  {
    title: "E19 no string of the server's own is empty but SCRIPT_NAME and QUERY_STRING",
    check: async (t) => {
      const { strings } = await t.environ("/environ");
      const empty = Object.keys(strings).filter((name) => strings[name] === "" && !APACHES.has(name));
      expect(empty.sort()).toEqual(["QUERY_STRING", "SCRIPT_NAME"]);
    },
  },
  {
    title: "E20 multithread, multiprocess and run_once are false in one process; of a CGI script the last two are true",
    check: async (t) => {
      const dump = await t.environ("/environ");
      const script = t.cell.plan.protocol === "cgi";
      expect([dump.multithread, dump.multiprocess, dump.runOnce]).toEqual([false, script, script]);
    },
  },
  ...(["/", "/spam", "/spam;ham", "/spam;cookie=1234,5678", "/sp%E4m", "/a%20b?c=d%20e", "/x?say=%D0%BD"] as const).map(
    (target): Case => ({
      title: `E21 the URL of ${target} can be reconstructed`,
      check: async (t) => {
        const { url } = await t.environ(target, { host: "example.org:8080" });
        expect(url).toBe(
          `${t.scheme}://example.org:8080${
            target.replace(";cookie=1234,5678", "%3Bcookie%3D1234%2C5678").replace(";ham", "%3Bham")
          }`,
        );
      },
    }),
  ),
  {
    title: "E21 without Host the URL is SERVER_NAME and SERVER_PORT; a mounted one has its prefix",
    not: {
      "bun-fetch": "Bun makes the URL up where there is no Host",
      "nginx-http": "the front end sends a Host of its own where there is none",
      "apache-http": "the front end sends a Host of its own where there is none",
    },
    check: async (t) => {
      const bare = await t.environ("/x?y", { version: "HTTP/1.0", host: null });
      expect(bare.url).toBe(`${t.scheme}://${bare.strings.SERVER_NAME}:${t.cell.serverPort}/x?y`);
      expect((await t.environ("/app/x?y", {}, "mounted")).url).toBe(`${t.scheme}://test.example/app/x?y`);
    },
  },
  {
    title: "E22 by decision, X-Forwarded-* and Forwarded are left alone and change nothing",
    not: { "nginx-http": "the front end tells its own", "apache-http": "the front end tells its own" },
    check: async (t) => {
      const headers = [["X-Forwarded-For", "9.9.9.9"], ["X-Forwarded-Proto", "https"], ["X-Forwarded-Host", "evil"], [
        "Forwarded",
        "for=9.9.9.9;proto=https",
      ]] as const;
      const plain = await t.environ("/environ");
      const { strings, scheme } = await t.environ("/environ", { headers });
      expect(strings).toMatchObject({
        HTTP_X_FORWARDED_FOR: "9.9.9.9",
        HTTP_X_FORWARDED_PROTO: "https",
        HTTP_FORWARDED: "for=9.9.9.9;proto=https",
      });
      expect([scheme, strings.SERVER_NAME, strings.HTTP_HOST]).toEqual([
        t.scheme,
        plain.strings.SERVER_NAME,
        "test.example",
      ]);
      expect(strings.REMOTE_ADDR).toBe(plain.strings.REMOTE_ADDR);
    },
  },
  {
    title: "E23 client fields never overwrite CGI variables; Proxy is dropped (httpoxy)",
    check: async (t) => {
      const names = [
        "Path-Info",
        "Script-Name",
        "Request-Method",
        "Server-Name",
        "Remote-Addr",
        "Query-String",
        "Https",
        "Remote-User",
      ];
      for (const variant of ["main", "dangerous"] as const) {
        const plain = await t.environ("/environ", {}, variant);
        const headers = [
          ...names.map((name) => [name, "evil"] as const),
          ["Proxy", "http://evil/"] as const,
          ["pROXY", "evil"] as const,
        ];
        const { strings } = await t.environ("/environ", { headers }, variant);
        for (const name of names) {
          const key = name.toUpperCase().replace("-", "_");
          expect(strings[`HTTP_${key}`]).toBe("evil");
          expect(strings[key]).toBe(plain.strings[key]);
        }
        expect(strings).not.toHaveProperty("HTTP_PROXY");
      }
    },
  },
  {
    title: "E24 keys with a dot are vendor.name in lower case",
    check: async (t) => {
      const dotted = Object.keys((await t.environ("/environ", { headers: [["wsgi.input", "x"]] })).types).filter((
        key,
      ) => key.includes("."));
      expect(dotted.length).toBeGreaterThan(8);
      for (const key of dotted) expect(key).toMatch(/^(?:[a-z]+\.[a-z_]+|HTTP_WSGI\.INPUT)$/);
    },
  },
];
