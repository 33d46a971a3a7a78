/**
 * Building the environ (rules E01 to E24, X01): templates, the mount point, header fields.
 *
 * The wires' part (decoding, refusing) is tested with the wires; here a request line is taken as it comes.
 */

import { describe, expect, test } from "vitest";
import {
  addField,
  connectionTemplate,
  environKey,
  type EnvironTemplate,
  requestEnviron,
  type RequestLine,
  type ServerFacts,
  serverTemplate,
} from "../../core/contract/environ.ts";
import { ErrorStream } from "../../core/contract/error_stream.ts";
import { FileWrapper } from "../../core/contract/file_wrapper.ts";
import { InputStream } from "../../core/contract/input_stream.ts";
import { GatewayRequest } from "../../core/contract/tsgi_request.ts";
import type { Environ } from "../../core/contract/types.ts";
import { call, thrownBy } from "./fake_exchange.ts";

const FACTS: ServerFacts = {
  serverName: "example.com",
  serverPort: "8000",
  scheme: "http",
  multiprocess: false,
  runOnce: false,
  errors: new ErrorStream(() => {}),
};
const LINE: RequestLine = { method: "get", target: "/a%20b?c=%20", path: "/a b", query: "c=%20", protocol: "HTTP/1.0" };
const NOBODY = { remoteAddress: "", remotePort: "", localAddress: "", localPort: "" };

function template(facts: Partial<ServerFacts> = {}): EnvironTemplate {
  return serverTemplate({ ...FACTS, ...facts });
}

function mounted(path: string, scriptName: string): [string, string] {
  const environ = requestEnviron(template(), { ...LINE, path }, scriptName);
  return [environ.SCRIPT_NAME, environ.PATH_INFO];
}

describe("the environ of a request", () => {
  test("E02, E07, E08, E12 the request line is taken as it is", () => {
    expect(requestEnviron(template(), LINE, "")).toMatchObject({
      REQUEST_METHOD: "get",
      REQUEST_URI: "/a%20b?c=%20",
      SCRIPT_NAME: "",
      PATH_INFO: "/a b",
      QUERY_STRING: "c=%20",
      SERVER_PROTOCOL: "HTTP/1.0",
    });
  });

  test("E01 it is a plain object of data properties", () => {
    const { environ } = call(() => "x");
    expect(Object.getPrototypeOf(environ)).toBe(Object.prototype);
    for (const [key, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(environ))) {
      expect([key, descriptor.writable, descriptor.enumerable, descriptor.configurable]).toEqual([
        key,
        true,
        true,
        true,
      ]);
    }
  });

  test("E03, E15, E16, E17 what must be there is there, with the type it must have", () => {
    const { environ } = call(() => "x");
    expect(environ["wsgi.version"]).toEqual([1, 0]);
    expect(environ["wsgi.input"]).toBeInstanceOf(InputStream);
    expect(environ["wsgi.errors"]).toBeInstanceOf(ErrorStream);
    expect(environ["tsgi.request"]).toBeInstanceOf(GatewayRequest);
    expect(environ["wsgi.file_wrapper"]({ read: () => null })).toBeInstanceOf(FileWrapper);
    expect(environ).toMatchObject({
      "wsgi.url_scheme": "http",
      "wsgi.multithread": false,
      "wsgi.multiprocess": false,
      "wsgi.run_once": false,
      "wsgi.input_terminated": true,
    });
    for (const [key, value] of Object.entries(environ)) {
      if (!key.includes(".")) expect([key, typeof value]).toEqual([key, "string"]);
    }
    expect([environ.SERVER_NAME, environ.SERVER_PORT].includes("")).toBe(false);
  });

  const told: [Partial<ServerFacts>, Partial<Environ>][] = [
    [{ multiprocess: true }, { "wsgi.multiprocess": true }],
    [{ runOnce: true }, { "wsgi.run_once": true }],
    [{ scheme: "https" }, { "wsgi.url_scheme": "https", HTTPS: "on" }],
    [{ serverName: "::1", serverPort: "0" }, { SERVER_NAME: "::1", SERVER_PORT: "0" }],
  ];
  for (const [facts, expected] of told) {
    test(`E18, E20 ${JSON.stringify(facts)} is told`, () => {
      expect(requestEnviron(template(facts), LINE, "")).toMatchObject(expected);
    });
  }

  test("E18 HTTPS is absent without TLS", () => expect(Object.hasOwn(template(), "HTTPS")).toBe(false));

  test("E24 keys of ours have a dot and lower case", () => {
    const own = Object.keys(call(() => "x").environ).filter((key) => key.startsWith("tsgi"));
    expect(own).toEqual(["tsgi.request"]);
  });
});

describe("E01 nothing leaks from one request into another", () => {
  test("E01 keys set, changed and deleted by an application stay in its environ", () => {
    const shared = connectionTemplate(template(), NOBODY);
    const before = Object.entries(shared);
    const first = requestEnviron(shared, LINE, "");
    first.SERVER_NAME = "evil";
    first["my.key"] = 1;
    delete (first as Partial<Environ>).QUERY_STRING;
    addField(first, "HTTP_X", "1");
    expect(Object.entries(shared)).toEqual(before);
    expect(requestEnviron(shared, LINE, "")).toMatchObject({ SERVER_NAME: "example.com", QUERY_STRING: "c=%20" });
    expect(requestEnviron(shared, LINE, "")["my.key"]).toBe(undefined);
  });

  test("E01 a connection adds to a copy of the server's template", () => {
    const server = template();
    connectionTemplate(server, { ...NOBODY, remoteAddress: "10.0.0.1" });
    expect(Object.hasOwn(server, "REMOTE_ADDR")).toBe(false);
  });

  test("E01 what an application does to wsgi.version does not reach the next request", () => {
    const shared = template();
    const version = requestEnviron(shared, LINE, "")["wsgi.version"] as unknown as number[];
    thrownBy(() => version[0] = 9);
    thrownBy(() => version.push(9));
    expect(requestEnviron(shared, LINE, "")["wsgi.version"]).toEqual([1, 0]);
  });
});

describe("E04, E05, E06 the mount point", () => {
  const table: [path: string, scriptName: string, expected: [string, string]][] = [
    ["/", "", ["", "/"]],
    ["/app/x", "", ["", "/app/x"]],
    ["/app/x", "/app", ["/app", "/x"]],
    ["/app/", "/app", ["/app", "/"]],
    ["/app", "/app", ["/app", ""]],
    ["/apple", "/app", ["", "/apple"]],
    ["/ap", "/app", ["", "/ap"]],
    ["/", "/app", ["", "/"]],
    ["/x/app", "/app", ["", "/x/app"]],
    ["/APP/x", "/app", ["", "/APP/x"]],
    ["/app//x", "/app", ["/app", "//x"]],
    ["/a/b/c", "/a/b", ["/a/b", "/c"]],
    ["/a/bc", "/a/b", ["", "/a/bc"]],
    ["/\u00c3\u00a9/x", "/\u00c3\u00a9", ["/\u00c3\u00a9", "/x"]],
  ];
  for (const [path, scriptName, expected] of table) {
    test(`E06 ${path} below ${JSON.stringify(scriptName)} is ${expected.join(" + ")}`, () => {
      const got = mounted(path, scriptName);
      expect(got).toEqual(expected);
      expect(got.join("")).toBe(path);
    });
  }
});

describe("E19 the ends of a connection", () => {
  test("E19 the client's address and port are told where they are known", () => {
    expect(connectionTemplate(template(), { ...NOBODY, remoteAddress: "::1", remotePort: "5" })).toMatchObject({
      REMOTE_ADDR: "::1",
      REMOTE_PORT: "5",
    });
  });

  test("E19 they are absent where they are not", () => {
    const keys = Object.keys(connectionTemplate(template(), NOBODY));
    expect(keys.filter((key) => key.startsWith("REMOTE_"))).toEqual([]);
  });

  const names: [serverName: string, localAddress: string, expected: string][] = [
    ["0.0.0.0", "10.0.0.2", "10.0.0.2"],
    ["::", "fe80::1", "fe80::1"],
    ["0.0.0.0", "", "0.0.0.0"],
    ["example.com", "10.0.0.2", "example.com"],
    ["127.0.0.1", "10.0.0.2", "127.0.0.1"],
  ];
  for (const [serverName, localAddress, expected] of names) {
    test(`E03 ${serverName} reached at ${JSON.stringify(localAddress)} is called ${expected}`, () => {
      expect(connectionTemplate(template({ serverName }), { ...NOBODY, localAddress }).SERVER_NAME).toBe(expected);
    });
  }
});

describe("E13 header fields", () => {
  const joins: [values: string[], expected: string][] = [
    [["a"], "a"],
    [["a", "b"], "a,b"],
    [["Python test", "Python test 2"], "Python test,Python test 2"],
    [[""], ""],
    [["", ""], ","],
    [["", "a", ""], ",a,"],
    [["a,b", "c"], "a,b,c"],
  ];
  for (const [values, expected] of joins) {
    test(`E13 ${JSON.stringify(values)} is ${JSON.stringify(expected)}`, () => {
      const environ = requestEnviron(template(), LINE, "");
      for (const value of values) addField(environ, "HTTP_X", value);
      expect(environ.HTTP_X).toBe(expected);
    });
  }

  const keys: [name: string, key: string | null][] = [
    ["Host", "HTTP_HOST"],
    ["X-Forwarded-For", "HTTP_X_FORWARDED_FOR"],
    ["x", "HTTP_X"],
    ["A-B-C", "HTTP_A_B_C"],
    ["!#$%&'*+.^`|~9", "HTTP_!#$%&'*+.^`|~9"],
    ["Content-Type", "CONTENT_TYPE"],
    ["CONTENT-TYPE", "CONTENT_TYPE"],
    ["content-length", "CONTENT_LENGTH"],
    // E23: what would pose as a variable of the server, or as the program's own configuration.
    ["Proxy", null],
    ["PROXY", null],
    ["proxy", null],
    ["Transfer-Encoding", null],
    ["Transfer_Encoding", null],
    ["Content_Length", null],
    ["content_type", null],
    ["Path-Info", "HTTP_PATH_INFO"],
    ["Script_Name", "HTTP_SCRIPT_NAME"],
    ["Remote-Addr", "HTTP_REMOTE_ADDR"],
    ["Proxy-Authorization", "HTTP_PROXY_AUTHORIZATION"],
    ["wsgi.input", "HTTP_WSGI.INPUT"],
    ["__proto__", "HTTP___PROTO__"],
  ];
  for (const [name, key] of keys) {
    test(`E09, E13, E23 ${name} is ${key}`, () => expect(environKey(name)).toBe(key));
  }
});
