/** `wsgiref.util`, rule by rule: M04, M05, R07, W01 to W03, E18, E21, and CPython's tables. @module */

import {
  applicationUri,
  FileWrapper,
  guessScheme,
  isHopByHop,
  requestUri,
  setupTestingDefaults,
  shiftPathInfo,
} from "../../wsgiref/util.ts";
import { validator } from "../../wsgiref/validate.ts";
import { type Check, equal, ok } from "./check.ts";

/** SCRIPT_NAME and PATH_INFO before; the name that is given, SCRIPT_NAME and PATH_INFO after. */
const shifts: readonly (readonly [string, string, string | null, string, string])[] = [
  ["", "/", "", "/", ""],
  ["", "/x", "x", "/x", ""],
  ["/", "", null, "/", ""],
  ["/a", "/x/y", "x", "/a/x", "/y"],
  ["/a", "/x/", "x", "/a/x", "/"],
  ["/a/b", "/../y", "..", "/a", "/y"],
  ["", "/../y", "..", "", "/y"],
  ["/a/b", "//y", "y", "/a/b/y", ""],
  ["/a/b", "//y/", "y", "/a/b/y", "/"],
  ["/a/b", "/./y", "y", "/a/b/y", ""],
  ["/a/b", "/./y/", "y", "/a/b/y", "/"],
  ["/a/b", "///./..//y/.//", "..", "/a", "/y/"],
  ["/a/b", "///", "", "/a/b/", ""],
  ["/a/b", "/.//", "", "/a/b/", ""],
  ["/a/b", "/x//", "x", "/a/b/x", "/"],
  ["/a/b", "/.", null, "/a/b", ""],
  ["/a/b", "/..", "..", "/a", ""],
  ["/a", "/x/.", "x", "/a/x", "/."],
  ["/a//b/", "/x/y/z", "x", "/a/b/x", "/y/z"],
  ["", "", null, "", ""],
  ["/", "/x", "x", "/x", ""], // wsgiref: "//x"
  ["//a", "/x", "x", "/a/x", ""], // wsgiref: "//a/x"
  ["", "x", "x", "/x", ""], // wsgiref throws
];

/** Members of an environ with wsgiref's defaults; applicationUri; requestUri; requestUri without its query. */
const uris: readonly (readonly [Readonly<Record<string, string>>, string, string, string])[] = [
  [{}, "http://127.0.0.1/", "http://127.0.0.1/", "http://127.0.0.1/"],
  [{ SCRIPT_NAME: "/spam" }, "http://127.0.0.1/spam", "http://127.0.0.1/spam", "http://127.0.0.1/spam"],
  [{ SCRIPT_NAME: "/sp\u00e4m" }, "http://127.0.0.1/sp%E4m", "http://127.0.0.1/sp%E4m", "http://127.0.0.1/sp%E4m"],
  [
    { HTTP_HOST: "spam.example.com:2071" },
    "http://spam.example.com:2071/",
    "http://spam.example.com:2071/",
    "http://spam.example.com:2071/",
  ],
  [
    { HTTP_HOST: "spam.example.com", SERVER_PORT: "2071" },
    "http://spam.example.com/",
    "http://spam.example.com/",
    "http://spam.example.com/",
  ],
  [{ HTTPS: "on" }, "https://127.0.0.1/", "https://127.0.0.1/", "https://127.0.0.1/"],
  [
    { SERVER_PORT: "8080", HTTP_HOST: "" },
    "http://127.0.0.1:8080/",
    "http://127.0.0.1:8080/",
    "http://127.0.0.1:8080/",
  ],
  [
    { HTTPS: "on", SERVER_PORT: "80", HTTP_HOST: "" },
    "https://127.0.0.1:80/",
    "https://127.0.0.1:80/",
    "https://127.0.0.1:80/",
  ],
  [
    { PATH_INFO: "/spam;ham", SCRIPT_NAME: "" },
    "http://127.0.0.1/",
    "http://127.0.0.1/spam;ham",
    "http://127.0.0.1/spam;ham",
  ],
  [
    { PATH_INFO: "/spam;cookie=1234,5678", SCRIPT_NAME: "" },
    "http://127.0.0.1/",
    "http://127.0.0.1/spam;cookie=1234,5678",
    "http://127.0.0.1/spam;cookie=1234,5678",
  ],
  [
    { SCRIPT_NAME: "/spam", PATH_INFO: "/ham", QUERY_STRING: "say=ni" },
    "http://127.0.0.1/spam",
    "http://127.0.0.1/spam/ham?say=ni",
    "http://127.0.0.1/spam/ham",
  ],
  [
    { PATH_INFO: "/a b%/\u00c3\u00a9?#", QUERY_STRING: "a=%20", SCRIPT_NAME: "" },
    "http://127.0.0.1/",
    "http://127.0.0.1/a%20b%25/%C3%A9%3F%23?a=%20",
    "http://127.0.0.1/a%20b%25/%C3%A9%3F%23",
  ],
  [
    { SCRIPT_NAME: "", PATH_INFO: "/\u0442" }, // no octet: what a careless middleware would put there
    "http://127.0.0.1/",
    "http://127.0.0.1/%D1%82",
    "http://127.0.0.1/%D1%82",
  ],
];

const hopByHop = [
  "Connection",
  "Keep-Alive",
  "Proxy-Authenticate",
  "Proxy-Authorization",
  "TE",
  "Trailers",
  "Transfer-Encoding",
  "Upgrade",
];
const endToEnd = ["Accept", "Cache-Control", "Date", "Pragma", "Trailer", "Via", "Warning", "Content-Length", ""];

export const utilChecks: readonly Check[] = [
  ...shifts.map(([script, path, name, scriptAfter, pathAfter]): Check => ({
    name: `M04 shiftPathInfo of ${JSON.stringify(script)} and ${JSON.stringify(path)}`,
    run: () => {
      const environ: Record<string, unknown> = { SCRIPT_NAME: script, PATH_INFO: path };
      const given = shiftPathInfo(environ);
      equal([given, environ.SCRIPT_NAME, environ.PATH_INFO], [name, scriptAfter, pathAfter]);
    },
  })),
  {
    name: "M04 shiftPathInfo walks down a path to its end",
    run: () => {
      const environ: Record<string, unknown> = { PATH_INFO: "/a/./b//c/" };
      const names: (string | null)[] = [];
      for (let name = shiftPathInfo(environ); name !== null; name = shiftPathInfo(environ)) names.push(name);
      equal([names, environ.SCRIPT_NAME, environ.PATH_INFO], [["a", "b", "c", ""], "/a/b/c/", ""]);
    },
  },
  ...([
    ["SERVER_NAME", "127.0.0.1"],
    ["SERVER_PORT", "80"],
    ["SERVER_PROTOCOL", "HTTP/1.0"],
    ["HTTP_HOST", "127.0.0.1"],
    ["REQUEST_METHOD", "GET"],
    ["SCRIPT_NAME", ""],
    ["PATH_INFO", "/"],
    ["wsgi.version", [1, 0]],
    ["wsgi.run_once", false],
    ["wsgi.multithread", false],
    ["wsgi.multiprocess", false],
    ["wsgi.url_scheme", "http"],
  ] as const).map(([key, value]): Check => ({
    name: `M05 setupTestingDefaults: ${key}, and what is there is kept`,
    run: () => {
      equal(setupTestingDefaults({})[key], value);
      equal(setupTestingDefaults({ [key]: "mine" })[key], "mine");
    },
  })),
  {
    name: "M05 setupTestingDefaults: what hangs on other members",
    run: () => {
      equal(setupTestingDefaults({ SERVER_NAME: "foo.bar" }).HTTP_HOST, "foo.bar");
      for (const on of ["on", "1", "yes"]) equal(setupTestingDefaults({ HTTPS: on }).SERVER_PORT, "443");
      equal(setupTestingDefaults({ HTTPS: "off" })["wsgi.url_scheme"], "http");
      equal(setupTestingDefaults({ "wsgi.url_scheme": "https" }).SERVER_PORT, "443");
      equal(setupTestingDefaults({ SCRIPT_NAME: "/app" }).PATH_INFO, "");
      equal(setupTestingDefaults({ PATH_INFO: "/x" }).SCRIPT_NAME, "");
    },
  },
  {
    name: "M05 setupTestingDefaults changes the object it is given, and gives it; it is an environ to the validator",
    run: async () => {
      const environ = {};
      const filled = setupTestingDefaults(environ);
      ok(filled === environ, "It is another object");
      equal((await filled["wsgi.input"].read()).length, 0);
      filled["wsgi.errors"].write("nothing\n");
      for (const strict of [false, true]) {
        validator((_environ, startResponse) => {
          startResponse("204 No Content", []);
          return [];
        }, { strict })(setupTestingDefaults({}), () => () => undefined);
      }
    },
  },
  ...([
    ["on", "https"],
    ["1", "https"],
    ["yes", "https"],
    ["off", "http"],
    ["0", "http"],
    ["", "http"],
    ["no", "http"],
    [
      "ON",
      "http",
    ],
  ] as const).map(([HTTPS, scheme]): Check => ({
    name: `E18 guessScheme with HTTPS ${JSON.stringify(HTTPS)}`,
    run: () => equal(guessScheme({ HTTPS }), scheme),
  })),
  { name: "E18 guessScheme without HTTPS", run: () => equal(guessScheme({}), "http") },
  ...uris.map(([members, application, request, bare]): Check => ({
    name: `E21 applicationUri and requestUri of ${JSON.stringify(members)}`,
    run: () => {
      const environ = setupTestingDefaults({ ...members });
      equal(applicationUri(environ), application);
      equal(requestUri(environ), request);
      equal(requestUri(environ, true), request);
      equal(requestUri(environ, false), bare);
    },
  })),
  {
    name: "R07 isHopByHop, in any letter case",
    run: () => {
      for (const name of hopByHop) {
        equal([name, name.toLowerCase(), name.toUpperCase()].map(isHopByHop), [true, true, true]);
      }
      for (const name of endToEnd) equal([isHopByHop(name), isHopByHop(name.toLowerCase())], [false, false], name);
    },
  },
  ...([[undefined, 65536, 20], [7, 7, 20], [1, 1, 5], [20, 20, 20], [64, 64, 20]] as const).map((
    [size, asked, total],
  ): Check => ({
    name: `W01, W02 FileWrapper reads ${total} bytes in blocks of ${
      size ?? "its own size"
    }; close() closes, the end does not`,
    run: async () => {
      const sizes: number[] = [];
      let at = 0;
      let closed = 0;
      const file = {
        read: (want: number) => {
          sizes.push(want);
          const block = new Uint8Array(Math.min(want, total - at)).fill(1);
          at += block.length;
          return block;
        },
        close: () => closed++,
      };
      const wrapper = size === undefined ? new FileWrapper(file) : new FileWrapper(file, size);
      equal(sizes, []);
      const lengths: number[] = [];
      for await (const block of wrapper) lengths.push(block.length);
      equal(lengths, Array.from({ length: Math.ceil(total / asked) }, (_, i) => Math.min(asked, total - i * asked)));
      equal(new Set(sizes).size, 1);
      equal([sizes[0], closed], [asked, 0]);
      wrapper.close();
      wrapper.close();
      equal(closed, 1);
    },
  })),
  {
    name: "W03 FileWrapper begins where the file stands",
    run: async () => {
      const parts = ["cd", "ef"].map((text) => new TextEncoder().encode(text));
      let text = "";
      for await (const block of new FileWrapper({ read: () => parts.shift() ?? null })) {
        text += new TextDecoder().decode(block);
      }
      equal(text, "cdef");
    },
  },
];
