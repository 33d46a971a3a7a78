/**
 * From CGI variables to the environ (RFC 3875 4.1): what is taken over, what is put right, what is refused.
 */

import { describe, expect, it } from "vitest";
import { cgiRequest, type CgiRules } from "../../core/wires/cgi/environ.ts";
import { Variables } from "../../core/wires/cgi/variables.ts";
import { serverTemplate } from "../../core/contract/environ.ts";
import { ErrorStream } from "../../core/contract/error_stream.ts";
import type { Environ } from "../../core/contract/types.ts";

type Pairs = readonly (readonly [name: string, value: string])[];

const TEMPLATE = serverTemplate({
  serverName: "localhost",
  serverPort: "80",
  scheme: "http",
  multiprocess: false,
  runOnce: false,
  errors: new ErrorStream(() => {}),
});
const SERVER: CgiRules = { scriptName: "", limitRequestBody: 1000, script: false };
const SCRIPT: CgiRules = { ...SERVER, script: true };

function request(pairs: Pairs, rules: CgiRules = SERVER): ReturnType<typeof cgiRequest> {
  const variables = new Variables();
  for (const [name, value] of [["REQUEST_METHOD", "GET"] as const, ...pairs]) variables.add(name, value);
  return cgiRequest(TEMPLATE, variables, rules);
}

const environ = (pairs: Pairs, rules?: CgiRules): Environ => request(pairs, rules).environ;

describe("paths: SCRIPT_NAME and PATH_INFO", () => {
  // As [variables, scriptName, expected SCRIPT_NAME, expected PATH_INFO]; s, i, u, d: what a front end sends.
  const table: readonly (readonly [title: string, rules: CgiRules, pairs: Pairs, script: string, info: string])[] = [
    [
      "C01 Apache CGI: both as they are",
      SCRIPT,
      [["SCRIPT_NAME", "/cgi-bin/app"], ["PATH_INFO", "/a/b"]],
      "/cgi-bin/app",
      "/a/b",
    ],
    ["C02 Apache CGI: no PATH_INFO is the empty one", SCRIPT, [["SCRIPT_NAME", "/cgi-bin/app"]], "/cgi-bin/app", ""],
    ["C02 a script name of / is the empty one", SCRIPT, [["SCRIPT_NAME", "/"], ["PATH_INFO", "/a"]], "", "/a"],
    ["C02 a script name of / without PATH_INFO", SCRIPT, [["SCRIPT_NAME", "/"]], "", "/"],
    ["C02 neither", SCRIPT, [], "", "/"],
    ["Apache proxies: the path is in SCRIPT_NAME", SERVER, [["SCRIPT_NAME", "/app/a"]], "", "/app/a"],
    ["Apache proxies, mounted", { ...SERVER, scriptName: "/app" }, [["SCRIPT_NAME", "/app/a"]], "/app", "/a"],
    [
      "Apache proxies, mounted, the mount point itself",
      { ...SERVER, scriptName: "/app" },
      [["SCRIPT_NAME", "/app"]],
      "/app",
      "",
    ],
    ["mounted: on a segment boundary", { ...SERVER, scriptName: "/app" }, [["SCRIPT_NAME", "/apple"]], "", "/apple"],
    [
      "nginx fastcgi_params: the same",
      SERVER,
      [["SCRIPT_NAME", "/x"], ["REQUEST_URI", "/x?q"], ["DOCUMENT_URI", "/x"]],
      "",
      "/x",
    ],
    [
      "nginx scgi_params: neither, but DOCUMENT_URI",
      SERVER,
      [["DOCUMENT_URI", "/x y"], ["REQUEST_URI", "/x%20y?q"]],
      "",
      "/x y",
    ],
    ["a front end that gives REQUEST_URI alone", SERVER, [["REQUEST_URI", "/x%20%ff?q"]], "", "/x \xff"],
    ["nginx uwsgi_params: the path is in PATH_INFO", SERVER, [["PATH_INFO", "/app/a"]], "", "/app/a"],
    ["nginx uwsgi_params, mounted", { ...SERVER, scriptName: "/app" }, [["PATH_INFO", "/app/a"]], "/app", "/a"],
    [
      "mod_proxy_uwsgi: split by the front end",
      SERVER,
      [["SCRIPT_NAME", "/uwsgi"], ["PATH_INFO", "/a"]],
      "/uwsgi",
      "/a",
    ],
    [
      "fastcgi_split_path_info at the mount point: an empty PATH_INFO is one",
      SERVER,
      [["SCRIPT_NAME", "/app"], ["PATH_INFO", ""]],
      "/app",
      "",
    ],
    ["OPTIONS * is about the server", SERVER, [["REQUEST_URI", "*"], ["PATH_INFO", "*"]], "", "/"],
  ];
  it.each(table)("%s", (_title, rules, pairs, script, info) => {
    const { SCRIPT_NAME, PATH_INFO } = environ(pairs, rules);
    expect([SCRIPT_NAME, PATH_INFO]).toEqual([script, info]);
  });

  it.each([["PATH_INFO", "a"], ["SCRIPT_NAME", "a"], ["PATH_INFO", "?"]])("E04 E05 %s=%s is refused", (name, value) => {
    expect(() => environ([[name, value]])).toThrow(`does not begin with a slash`);
  });

  it("REQUEST_URI is what the front end gives, else made of the path", () => {
    expect(environ([["REQUEST_URI", "/%41?a"], ["PATH_INFO", "/A"]]).REQUEST_URI).toBe("/%41?a");
    expect(environ([["PATH_INFO", "/a b\xff%"], ["QUERY_STRING", "q=1"]]).REQUEST_URI).toBe("/a%20b%FF%25?q=1");
  });

  it.each([
    ["proxy:fcgi://127.0.0.1:9000/srv/app", "/srv/app"],
    ["proxy:uwsgi://127.0.0.1:18203/hello", "/hello"],
    ["proxy:balancer://pool/hello", "/hello"],
    ["/srv/app.ts", "/srv/app.ts"],
  ])("SCRIPT_FILENAME %s is %s", (given, expected) => {
    expect(environ([["SCRIPT_FILENAME", given]]).SCRIPT_FILENAME).toBe(expected);
  });
});

describe("bodies", () => {
  const length = (...pairs: Pairs): unknown[] => {
    const made = request(pairs);
    return [made.contentLength, made.environ.CONTENT_LENGTH];
  };

  it("C04 the length is CONTENT_LENGTH; empty is none", () => {
    expect(length()).toEqual([null, undefined]);
    expect(length(["CONTENT_LENGTH", ""])).toEqual([null, undefined]);
    expect(length(["CONTENT_LENGTH", "7"])).toEqual([7, "7"]);
    expect(length(["CONTENT_LENGTH", "0"])).toEqual([0, "0"]);
    expect(length(["CONTENT_LENGTH", "007"])).toEqual([7, "7"]);
  });

  it("SCGI says 0 with every request: only where the client did does the application see it", () => {
    expect(length(["CONTENT_LENGTH", "0"], ["SCGI", "1"])).toEqual([0, undefined]);
    expect(length(["CONTENT_LENGTH", "0"], ["SCGI", "1"], ["HTTP_CONTENT_LENGTH", "0"])).toEqual([0, "0"]);
  });

  it("nginx, SCGI, request buffering off: the client's length is the right one", () => {
    expect(length(["CONTENT_LENGTH", "5"], ["SCGI", "1"], ["HTTP_CONTENT_LENGTH", "15"])).toEqual([15, "15"]);
    expect(length(["CONTENT_LENGTH", "5"], ["HTTP_CONTENT_LENGTH", "15"])).toEqual([5, "5"]);
  });

  it("a body that was taken out of its chunks does not say that it is chunked", () => {
    const made = environ([["CONTENT_LENGTH", "18"], ["HTTP_TRANSFER_ENCODING", "chunked"]]);
    expect([made.HTTP_TRANSFER_ENCODING, made.CONTENT_LENGTH, made["wsgi.input_terminated"]]).toEqual([
      undefined,
      "18",
      true,
    ]);
  });

  it.each(["-1", "+1", "1 ", "0x10", "1e3", "1,1"])("C04 a length of %j is refused with 400", (text) => {
    expect(() => length(["CONTENT_LENGTH", text])).toThrow(expect.objectContaining({ status: "400 Bad Request" }));
  });

  it("a length above limitRequestBody is refused with 413, and so is one beyond all numbers", () => {
    for (const text of ["1001", "9".repeat(400)]) {
      expect(() => length(["CONTENT_LENGTH", text])).toThrow(
        expect.objectContaining({ status: "413 Content Too Large" }),
      );
    }
  });
});

describe("variables", () => {
  it("C01 C10 are taken over as they are, octet by octet", () => {
    const made = environ([["REMOTE_USER", "j\xf6rg"], ["SSL_CIPHER", ""], ["HTTP_X_A", "\xff"], [
      "REMOTE_ADDR",
      "192.0.2.7",
    ]]);
    expect([made.REMOTE_USER, made.SSL_CIPHER, made.HTTP_X_A, made.REMOTE_ADDR]).toEqual([
      "j\xf6rg",
      "",
      "\xff",
      "192.0.2.7",
    ]);
  });

  it("those that pose as something else are not: HTTP_PROXY, keys of the gateway, empty types", () => {
    const made = environ([
      ["HTTP_PROXY", "http://evil.test"],
      ["wsgi.url_scheme", "evil"],
      ["tsgi.request", "evil"],
      ["HTTP_CONTENT_TYPE", "text/html"],
      ["HTTP_CONTENT_LENGTH", "3"],
      ["CONTENT_TYPE", ""],
      ["HTTP_X_Small", "1"],
    ]);
    expect(Object.keys(made).filter((key) => /PROXY|CONTENT|Small/.test(key))).toEqual([]);
    expect([made["wsgi.url_scheme"], made["tsgi.request"]]).toEqual(["http", undefined]);
  });

  it("18.4 no name of a variable reaches a prototype", () => {
    const names = ["__proto__", "HTTP___PROTO__", "constructor", "HTTP_CONSTRUCTOR", "toString", "hasOwnProperty"];
    const made = environ(names.map((name) => [name, "evil"]));
    expect(Object.getPrototypeOf(made)).toBe(Object.prototype);
    expect(Object.entries(made).filter(([, value]) => value === "evil").map(([name]) => name).toSorted()).toEqual(
      names.filter((name) => name !== "__proto__").toSorted(),
    );
    expect(Object.values(Object.getOwnPropertyDescriptors(Object.prototype)).map(({ value }) => value))
      .not.toContain("evil");
  });

  it("a repeated header is joined as HTTP joins it, cookies as cookies; of another variable the last one counts", () => {
    const made = environ([
      ["HTTP_X_A", "1"],
      ["HTTP_X_A", "2"],
      ["HTTP_COOKIE", "a=1"],
      ["HTTP_COOKIE", "b=2"],
      ["REMOTE_USER", "first"],
      ["REMOTE_USER", "last"],
      ["HTTP_HOST", "first"],
      ["HTTP_HOST", "last"],
      ["HTTP_X_B", "\t 1 \t"],
    ]);
    expect([made.HTTP_X_A, made.HTTP_COOKIE, made.REMOTE_USER]).toEqual(["1,2", "a=1; b=2", "last"]);
    expect([made.HTTP_HOST, made.HTTP_X_B]).toEqual(["last", "1"]);
  });

  it("a length given twice, a name that is empty, and more than 1000 of them are refused", () => {
    const add = (...pairs: Pairs) => (): unknown => request(pairs);
    expect(add(["CONTENT_LENGTH", "1"], ["CONTENT_LENGTH", "1"])).toThrow(/CONTENT_LENGTH is given twice/);
    expect(add(["", "x"])).toThrow(/without a name/);
    expect(add(...Array.from({ length: 1000 }, (_, i) => [`V${i}`, ""] as const))).toThrow(/more than 1000/);
  });

  it("PEP 3333: SERVER_NAME, SERVER_PORT and SERVER_PROTOCOL are never empty", () => {
    const made = environ([["SERVER_NAME", ""], ["SERVER_PORT", ""], ["SERVER_PROTOCOL", ""]]);
    expect([made.SERVER_NAME, made.SERVER_PORT, made.SERVER_PROTOCOL]).toEqual(["localhost", "80", "HTTP/1.0"]);
    const odd = environ([["SERVER_PORT", "http"], ["SERVER_PROTOCOL", "INCLUDED"]]);
    expect([odd.SERVER_PORT, odd.SERVER_PROTOCOL]).toEqual(["80", "HTTP/1.0"]);
    expect(environ([["SERVER_PROTOCOL", "HTTP/2.0"]]).SERVER_PROTOCOL).toBe("HTTP/2.0");
  });

  it.each(
    [
      [[["UWSGI_SCHEME", "https"], ["HTTPS", ""]], "https", "on"],
      [[["HTTPS", "on"]], "https", "on"],
      [[["HTTPS", "1"]], "https", "on"],
      [[["HTTPS", "off"]], "http", "off"],
      [[["REQUEST_SCHEME", "https"]], "https", "on"],
      [[["REQUEST_SCHEME", "http"]], "http", undefined],
      [[["REQUEST_SCHEME", "gopher"]], "http", undefined],
    ] as const,
  )("U06 %j: the scheme is %s", (pairs, scheme, https) => {
    const made = environ(pairs);
    expect([made["wsgi.url_scheme"], made.HTTPS]).toEqual([scheme, https]);
  });

  it.each(["", "G T", "GET\r\n", "G\xcbT"])("a method of %j is refused", (method) => {
    expect(() => environ([["REQUEST_METHOD", method]])).toThrow(expect.objectContaining({ status: "400 Bad Request" }));
  });
});
