/**
 * The options of a server: defaults, and a table of values that are taken and refused.
 *
 * A message names the option, what was expected and what was given.
 */

import { describe, expect, test } from "vitest";
import { describe as inWords, OptionError } from "../../core/errors.ts";
import { loopbackNotice, type Settings, settings } from "../../core/server/options.ts";
import type { ServeOptions } from "../../core/server/serve_options.ts";
import { NOTHING_THROWN, thrownBy } from "./fake_exchange.ts";

const log = (): void => {};

function make(options: object, port?: string): Settings {
  return settings(options as ServeOptions, { port, errorLog: log });
}

function expectRefused(thrown: unknown, ...parts: string[]): void {
  expect(thrown).toBeInstanceOf(OptionError);
  for (const part of parts) expect((thrown as Error).message).toContain(part);
}

const DEFAULTS = {
  hostname: "127.0.0.1",
  port: 8000,
  onListen: undefined,
  errorLog: log,
  serverHeader: "",
  scriptName: "",
  urlScheme: "http",
  multiprocess: false,
  headerMap: "drop",
  protocol: "http",
  allowIps: "*",
  limitRequestLine: 8190,
  limitRequestFields: 100,
  limitRequestFieldSize: 8190,
  limitRequestBody: Infinity,
  limitReadline: 65536,
  writeBufferLimit: 1048576,
};

test("every option has a default", () => expect(make({})).toMatchObject(DEFAULTS));

test("undefined means the default", () => {
  const options = Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, undefined]));
  expect(make(options)).toMatchObject(DEFAULTS);
});

test("the options that were given are not changed", () => {
  const options = Object.freeze({ port: 1 });
  expect([make(options).port, options]).toEqual([1, { port: 1 }]);
});

test("toFetch takes options that need no socket, and refuses the others by name", () => {
  const fetch = (options: object): Settings =>
    settings(options as ServeOptions, { port: undefined, errorLog: log, fetch: true });
  expect(fetch({ scriptName: "/a" }).scriptName).toBe("/a");
  for (const name of ["port", "keepAliveTimeout"]) {
    const thrown = thrownBy(() => fetch({ [name]: 1 }));
    expectRefused(thrown, `Option ${name}: toFetch has no such option, because its host owns the socket`);
  }
  expectRefused(thrownBy(() => fetch({ scriptNames: "/a" })), "Option scriptNames:", "did you mean scriptName?");
});

interface Row {
  readonly good: readonly unknown[];
  readonly bad: readonly unknown[];
  readonly expected: string;
}

const NO_NUMBER: readonly unknown[] = ["8000", "", null, true, [1], {}, 1n, NaN, -Infinity, 1.5, -1];
const COUNT: Row = {
  good: [1, 2, 65536, Number.MAX_SAFE_INTEGER],
  bad: [...NO_NUMBER, 0, Infinity, 2 ** 53],
  expected: "a whole number from 1",
};
const LIMIT: Row = {
  good: [0, 1, 65536, Infinity],
  bad: [...NO_NUMBER, 2 ** 53],
  expected: "a whole number from 0, or Infinity",
};

const TABLE: Record<string, Row> = {
  hostname: {
    good: ["localhost", "0.0.0.0", "::", "fe80::1%eth0", "example.com"],
    bad: ["", "a b", "http://x", "x/", "\n", "a\0", "a\x1b[2J", "a\x7f", NaN, 7, null, {}],
    expected: "a host name or address",
  },
  port: { good: [0, 1, 80, 65535], bad: [...NO_NUMBER, 65536, Infinity], expected: "a whole number from 0 to 65535" },
  onListen: { good: [() => {}], bad: [null, "log", {}, 7], expected: "a function" },
  errorLog: { good: [() => {}, console.error], bad: [null, "log", console, 7], expected: "a function" },
  serverHeader: {
    good: ["", "tsgi", "tsgi/1.0 (x)", "caf\u00e9"],
    bad: ["a\r\nb", "\0", "\u2713", "a\x7f", null, 7, true],
    expected: "latin-1 text without control characters",
  },
  scriptName: {
    good: ["", "/a", "/a/b", "/a b", "/\u00e9"],
    bad: ["/", "a", "/a/", "a/b", "//", "/\u2713", "/a\n", "/a\nb", "/a\0", "/a\r", "/a\tb", "/a\x7f", null, 7],
    expected: 'a path that begins with "/" and does not end with one, or ""',
  },
  urlScheme: { good: ["http", "https"], bad: ["HTTP", "ftp", "", "https:", null, 7], expected: "one of http, https" },
  multiprocess: { good: [true, false], bad: [0, 1, "true", null], expected: "true or false" },
  headerMap: {
    good: ["drop", "refuse", "dangerous"],
    bad: ["Drop", "", "keep", null, true],
    expected: "one of drop, refuse, dangerous",
  },
  protocol: {
    good: ["http", "fastcgi", "scgi", "uwsgi"],
    bad: ["HTTP", "https", "", "ajp", null, 7],
    expected: "one of http, fastcgi, scgi, uwsgi",
  },
  allowIps: {
    good: ["*", [], ["127.0.0.1", "::1", "10.0.0.0/8"]],
    bad: ["127.0.0.1", ["localhost"], ["10.0.0.0/33"], ["::1\n"], ["::1%\n"], [7], new Array(1), null, true],
    expected: 'an array of addresses and networks, or "*"',
  },
  limitRequestLine: COUNT,
  limitRequestFields: COUNT,
  limitRequestFieldSize: COUNT,
  limitReadline: COUNT,
  limitRequestBody: LIMIT,
  writeBufferLimit: LIMIT,
};

test("the table has a row for every option", () =>
  expect(Object.keys(TABLE).sort()).toEqual(Object.keys(DEFAULTS).sort()));

for (const [name, { good, bad, expected }] of Object.entries(TABLE)) {
  describe(name, () => {
    for (const value of good) {
      test(`${typeof value} ${String(value)} is taken`, () => {
        expect(make({ [name]: value })[name as keyof Settings]).toBe(value);
      });
    }

    for (const value of bad) {
      test(`${inWords(value)} is refused, in words`, () => {
        const thrown = thrownBy(() => make({ [name]: value }));
        expectRefused(thrown, `Option ${name}: `, `expected ${expected}`, `got ${inWords(value)}`);
        expect((thrown as OptionError).option).toBe(name);
      });
    }
  });
}

describe("what a protocol changes", () => {
  const webServers = (text: string): Settings["allowIps"] =>
    settings({ protocol: "fastcgi" }, { port: undefined, errorLog: log, webServers: text }).allowIps;

  test("who may connect, unless it is said", () => {
    expect(make({ protocol: "http" }).allowIps).toBe("*");
    for (const protocol of ["fastcgi", "scgi", "uwsgi"]) {
      expect(make({ protocol }).allowIps).toEqual(["127.0.0.0/8", "::1"]);
      expect(make({ protocol, allowIps: "*" }).allowIps).toBe("*");
    }
  });

  test("F16 FastCGI: the environment variable FCGI_WEB_SERVER_ADDRS", () => {
    expect(webServers("192.0.2.7, 192.0.2.8")).toEqual(["192.0.2.7", "192.0.2.8"]);
    expect(webServers("")).toEqual(["127.0.0.0/8", "::1"]);
    expectRefused(thrownBy(() => webServers("localhost")), "FCGI_WEB_SERVER_ADDRS (environment)", '"localhost"');
  });
});

test("14.30 an idle connection stays for longer than web servers and load balancers keep theirs", () => {
  for (const protocol of ["http", "fastcgi", "scgi", "uwsgi"] as const) {
    expect(make({ protocol }).keepAliveTimeout).toBe(75);
    expect(make({ protocol, keepAliveTimeout: 5 }).keepAliveTimeout).toBe(5);
  }
});

describe("unknown options", () => {
  const meant = { prot: "port", Port: "port", keepAliveTimout: "keepAliveTimeout", reuseport: "reusePort" };
  for (const [name, nearest] of Object.entries(meant)) {
    test(`${name} is refused, and the message names ${nearest}`, () => {
      expectRefused(
        thrownBy(() => make({ [name]: 1 })),
        `Option ${name}: there is no such option; did you mean ${nearest}?`,
      );
    });
  }
  for (const name of ["colour", "constructor", "hasOwnProperty", "__proto__"]) {
    test(`${name} is refused, and the message says where all are`, () => {
      const thrown = thrownBy(() => make(JSON.parse(`{"${name}":1}`)));
      expectRefused(thrown, `Option ${name}: there is no such option; the type ServeOptions lists all`);
    });
  }
});

const PATH = { path: "/run/a.sock" };

describe("14.8 options that contradict each other", () => {
  const refused: readonly (readonly [string, object, string, string])[] = [
    ["path with port", { ...PATH, port: 80 }, "port", "the option path"],
    ["path with the default port", { ...PATH, port: 8000 }, "port", "the option path"],
    ["path with hostname", { ...PATH, hostname: "::" }, "hostname", "the option path"],
    ["path with reusePort", { ...PATH, reusePort: true }, "reusePort", "the option path"],
    ["path with fd", { ...PATH, fd: 3 }, "path", "the option fd"],
    ["mode alone", { mode: 0o660 }, "mode", "the option path"],
    ["mode with port", { mode: 0o660, port: 1 }, "mode", "the option path"],
    ["mode with fd", { mode: 0o660, fd: 3 }, "mode", "the option fd"],
    ["fd with port", { fd: 3, port: 0 }, "port", "the option fd"],
    ["fd with hostname", { fd: 3, hostname: "::1" }, "hostname", "the option fd"],
    ["fd with reusePort", { fd: 3, reusePort: true }, "reusePort", "the option fd"],
  ];

  for (const [title, options, name, reason] of refused) {
    test(`${title} is refused`, () => {
      const thrown = thrownBy(() => make(options));
      expectRefused(thrown, `Option ${name}: `, reason);
      expect((thrown as OptionError).option).toBe(name);
    });
  }

  const taken: readonly (readonly [string, object])[] = [
    ["path with mode and backlog", { ...PATH, mode: 0o660, backlog: 7 }],
    ["path without reusePort", { ...PATH, reusePort: false, port: undefined }],
    ["fd with backlog", { fd: 3, backlog: 7 }],
    ["port with reusePort and backlog", { port: 0, hostname: "::", reusePort: true, backlog: 7 }],
  ];

  for (const [title, options] of taken) {
    test(`${title} is taken`, () => expect(make(options)).toMatchObject(JSON.parse(JSON.stringify(options)) as object));
  }

  test("beside path and fd nobody looks at PORT", () => {
    expect(make(PATH, "tcp://10.0.0.1:80").path).toBe(PATH.path);
    expect(make({ fd: 3 }, "tcp://10.0.0.1:80").fd).toBe(3);
  });
});

describe("14.8 what is no plain object of options", () => {
  const own = JSON.parse('{"__proto__": {"port": 70000}}') as object;

  test("an own __proto__ is an unknown option, and sets no other", () => {
    expectRefused(thrownBy(() => make(own)), "Option __proto__: ", "there is no such option");
    expect((make({ port: 1 }) as unknown as { nothing?: unknown }).nothing).toBeUndefined();
  });

  const bad: readonly (readonly [string, unknown])[] = [
    ["a number", 8000],
    ["a string", "8000"],
    ["null", null],
    ["an array", []],
    ["a function", () => {}],
    ["a Map", new Map([["port", 1]])],
    ["an object that inherits its members", Object.create({ port: 70000 })],
  ];

  for (const [title, options] of bad) {
    test(`${title} is refused`, () => expectRefused(thrownBy(() => make(options as object)), "a plain object"));
  }

  test("an object without a prototype is taken", () => {
    expect(make(Object.assign(Object.create(null) as object, { port: 1 })).port).toBe(1);
  });
});

describe("14.8 path", () => {
  for (const path of ["", "\0abstract", "/run/a\n", "/run/\x1b[2J", "/run/\x7f", 7, null, NaN]) {
    test(`${inWords(path)} is refused`, () => expectRefused(thrownBy(() => make({ path })), "Option path: "));
  }

  for (const path of ["/run/a b.sock", "a.sock", "/run/caf\u00e9"]) {
    test(`${inWords(path)} is taken`, () => expect(make({ path }).path).toBe(path));
  }
});

describe("14.8 numbers", () => {
  const names = Object.entries(make({})).filter(([, value]) => typeof value === "number").map(([name]) => name);

  test.each([...names, "mode", "fd", "backlog"])("%s refuses NaN, text and negative numbers", (name) => {
    const where = name === "mode" ? PATH : {};
    for (const value of [NaN, "1", -1, -Infinity, null, [1], { valueOf: () => 1 }]) {
      expectRefused(thrownBy(() => make({ ...where, [name]: value })), `Option ${name}: `);
    }
  });
});

describe("the environment variable PORT", () => {
  for (const [text, port] of [["", 8000], ["0", 0], ["80", 80], ["0080", 80], ["65535", 65535]] as const) {
    test(`${JSON.stringify(text)} is ${port}`, () => expect(make({}, text).port).toBe(port));
  }

  for (
    const text of [
      "65536",
      "99999",
      "-1",
      "+1",
      "1.5",
      "1e3",
      "0x50",
      " 80",
      "80 ",
      "80\n",
      "http",
      "tcp://10.0.0.1:80",
    ]
  ) {
    test(`${JSON.stringify(text)} is refused, and the message says where it came from`, () => {
      expectRefused(
        thrownBy(() => make({}, text)),
        "PORT (environment)",
        "0 to 65535",
        `got string ${JSON.stringify(text)}`,
      );
    });
  }

  test("the option wins", () => expect(make({ port: 1 }, "2").port).toBe(1));

  test("where the option is given, PORT is not looked at", () => {
    expect(thrownBy(() => make({ port: 1 }, "nonsense"))).toBe(NOTHING_THROWN);
  });
});

describe("14.34 the environment variable HOST", () => {
  test.each([
    [undefined, "127.0.0.1"],
    ["", "127.0.0.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["::", "::"],
    ["::1", "::1"],
    ["192.0.2.7", "192.0.2.7"],
    ["localhost", "localhost"],
    // What shells, build tools and deployments set it to.
    ["my-machine", "127.0.0.1"],
    ["my-machine.local", "127.0.0.1"],
    ["x86_64-unknown-linux-gnu", "127.0.0.1"],
    ["http://0.0.0.0", "127.0.0.1"],
    ["0.0.0.0:80", "127.0.0.1"],
    ["0.0.0.0/0", "127.0.0.1"],
    [" 0.0.0.0", "127.0.0.1"],
    ["0.0.0.0\n", "127.0.0.1"],
    ["0", "127.0.0.1"],
  ])("%j is %j", (text, expected) => {
    const fromHost = { port: undefined, hostname: text, errorLog: log };
    expect(settings({}, fromHost).hostname).toBe(expected);
    expect(settings({ hostname: "192.0.2.1" }, fromHost).hostname).toBe("192.0.2.1"); // the option wins
  });

  const unset = /^PORT is set and HOST is not set or may not be read: only this machine is served, .*HOST=0\.0\.0\.0/;
  const ignored = /^PORT is set and HOST is string "box", which is neither an address nor localhost: only this machine/;
  test.each<[ServeOptions, string | undefined, string | undefined, RegExp | undefined]>([
    [{}, "8080", undefined, unset],
    [{}, "8080", "", unset],
    [{}, "8080", "box", ignored],
    [{ port: 8080 }, "8080", undefined, unset],
    [{ port: 9000 }, "8080", undefined, undefined],
    [{}, "8080", "0.0.0.0", undefined],
    [{}, "8080", "127.0.0.1", undefined],
    [{}, "8080", "localhost", undefined],
    [{ hostname: "127.0.0.1" }, "8080", undefined, undefined],
    [{ path: "/run/app.sock" }, "8080", undefined, undefined],
    [{ fd: 3 }, "8080", undefined, undefined],
    [{}, "0", undefined, undefined],
    [{}, "", undefined, undefined],
    [{}, undefined, undefined, undefined],
    [{}, undefined, "box", undefined],
  ])("the notice for %j with PORT %j and HOST %j", (options, port, hostname, expected) => {
    const notice = loopbackNotice(options, { port, hostname, errorLog: log });
    if (expected === undefined) expect(notice).toBeUndefined();
    else expect(notice).toMatch(expected);
  });
});

describe("15.3 listen", () => {
  const at = (port: number): object => ({ transport: "tcp", hostname: "127.0.0.1", port });

  test("each place takes what it leaves out from the options of the server", () => {
    const { listeners } = make({
      allowIps: ["10.0.0.0/8"],
      reusePort: true,
      proxyProtocol: true,
      listen: [
        { port: 1 },
        { path: "/a", mode: 0o600, proxyProtocol: false },
        { fd: 3, fdAddress: at(2), allowIps: "*", urlScheme: "https" },
      ],
    }, "9");
    expect(listeners).toEqual([
      { at: at(1), allowIps: ["10.0.0.0/8"], reusePort: true, proxyProtocol: true },
      {
        at: { transport: "unix", path: "/a" },
        mode: 0o600,
        allowIps: ["10.0.0.0/8"],
        reusePort: false,
        proxyProtocol: false,
      },
      { at: { transport: "fd", fd: 3, address: at(2) }, allowIps: "*", reusePort: false, urlScheme: "https" },
    ].map((expected) => expect.objectContaining(expected)));
  });

  test.each<[object, object]>([
    [{}, at(8000)],
    [{ hostname: "::", port: 1 }, { transport: "tcp", hostname: "::", port: 1 }],
    [{ path: "/a" }, { transport: "unix", path: "/a" }],
    [{ fd: 3 }, { transport: "fd", fd: 3 }],
  ])("without it there is one place: %j", (options, expected) => {
    expect(make(options).listeners.map((one) => one.at)).toEqual([expected]);
  });

  test.each<[object, string]>([
    [
      { listen: [] },
      "Option listen: expected an array of one place or more: { port }, { path } or { fd }, got an array",
    ],
    [{ listen: { port: 1 } }, "Option listen: expected an array"],
    [{ listen: [7] }, "Option listen[0]: expected a plain object, as in listen: [{ port: 8000 }], got number 7"],
    [
      { listen: new Array(1) },
      "Option listen[0]: expected a plain object, as in listen: [{ port: 8000 }], got undefined",
    ],
    [{ listen: [{ port: 1 }, {}] }, "Option listen[1]: expected one of port, path and fd, got an object"],
    [{ listen: [{ port: 1 }, { hostname: "::" }] }, "Option listen[1]: expected one of port, path and fd"],
    [{ listen: [{ port: -1 }] }, "Option listen[0].port: expected a whole number from 0 to 65535, got number -1"],
    [
      { listen: [{ port: 1, prot: 1 }] },
      "Option listen[0].prot: there is no such option; did you mean port?",
    ],
    [
      { listen: [{ port: 1, protocol: "scgi" }] },
      "Option listen[0].protocol: it is an option of the server, not of one of its places",
    ],
    [{ listen: [{ path: "/a", port: 1 }] }, "Option listen[0].port: expected nothing beside the option listen[0].path"],
    [{ listen: [{ port: 1, mode: 0o600 }] }, "Option listen[0].mode: expected the option listen[0].path beside it"],
    [{ listen: [{ port: 1 }], port: 2 }, "Option port: expected nothing beside the option listen, which decides where"],
    [{ listen: [{ port: 1 }], hostname: "::" }, "Option hostname: expected nothing beside the option listen"],
    [{ listen: [{ port: 1 }], fd: 3 }, "Option fd: expected nothing beside the option listen"],
    [{ fdAddress: at(1) }, "Option fdAddress: expected the option fd beside it: it is where that descriptor listens"],
    [{ fd: 3, fdAddress: { port: 1 } }, "Option fdAddress: expected an address: { transport:"],
    [{ fd: 3, fdAddress: "127.0.0.1:1" }, "Option fdAddress: expected an address: { transport:"],
    [{ proxyProtocol: 1 }, "Option proxyProtocol: expected true or false, got number 1"],
    [
      { forwardedAllowIps: ["10.0.0.0/99"] },
      'Option forwardedAllowIps: expected an array of addresses, networks and "unix"',
    ],
    [{ forwardedAllowIps: "127.0.0.1" }, "Option forwardedAllowIps: expected an array"],
    [
      { forwardedHeaders: ["X-Forwarded-For"] },
      "Option forwardedHeaders: expected the option forwardedAllowIps beside it",
    ],
    [
      { listen: [{ port: 1, forwardedHeaders: ["Forwarded"] }] },
      "Option listen[0].forwardedHeaders: expected the option listen[0].forwardedAllowIps beside it",
    ],
    [
      { forwardedAllowIps: "*", forwardedHeaders: ["X-Real-IP"] },
      "Option forwardedHeaders: expected an array of one or more of X-Forwarded-For, X-Forwarded-Proto",
    ],
    [{ forwardedAllowIps: "*", forwardedHeaders: [] }, "Option forwardedHeaders: expected an array of one or more"],
    [
      { forwardedAllowIps: ["unix"], protocol: "fastcgi" },
      "Option protocol: expected http beside the option forwardedAllowIps: in other protocols the web server states",
    ],
    [
      { listen: [{ port: 1, forwardedAllowIps: ["::1"] }], protocol: "uwsgi" },
      "Option protocol: expected http beside the option forwardedAllowIps",
    ],
    [
      { forwardedAllowIps: ["::1"], headerMap: "dangerous" },
      "Option headerMap: expected drop or refuse beside the option forwardedAllowIps: a client could send X_Forwarded_For",
    ],
    [{ proxyAllowIps: "127.0.0.1" }, 'Option proxyAllowIps: expected an array of addresses and networks, or "*"'],
  ])("%j is refused", (options, message) => {
    expect((thrownBy(() => make(options)) as Error).message).toContain(message);
  });
});
