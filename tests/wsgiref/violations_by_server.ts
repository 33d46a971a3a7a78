/**
 * A table of mistakes of a server, each with the rule that the validator must name.
 *
 * @module
 */

import type { Application, Environ, StartResponse, Write } from "../../mod.ts";
import { type ValidatedApplication, validator, type WsgiViolation } from "../../wsgiref/validate.ts";
import { createEnviron } from "../../testing/mod.ts";
import { type Check, equal, thrownBy } from "./check.ts";
import { isViolation, type Row } from "./violations_by_application.ts";

interface ServerRow extends Row {
  /** A correct application, which shows what the server does. */
  readonly app?: Application;
  /** Serves it with the mistake. */
  readonly serve: (app: ValidatedApplication) => unknown;
}

const plain: [string, string][] = [["Content-Type", "text/plain"]];
const bytes = new TextEncoder().encode("ok");

const hello: Application = (_environ, startResponse) => {
  startResponse("200 OK", plain);
  return [bytes];
};

/** Two blocks. */
const generator: Application = (_environ, startResponse) => {
  startResponse("200 OK", plain);
  return (function* () {
    yield bytes;
    yield bytes;
  })();
};

const asynchronous: Application = (_environ, startResponse) => {
  startResponse("200 OK", plain);
  return (async function* () {
    yield bytes;
    yield bytes;
  })();
};

const start = ((): Write => () => undefined) as unknown as StartResponse;

type Given = Iterator<Uint8Array> & AsyncIterator<Uint8Array>;
interface Handed {
  [Symbol.iterator](): Given;
  [Symbol.asyncIterator](): Given;
  close(): void;
}

/** The body that a good application gives to a server that begins well. */
function body(app: ValidatedApplication, startResponse: StartResponse = start, environ = createEnviron()): Handed {
  return app(environ, startResponse) as unknown as Handed;
}

/** Environs that are wrong in one member. */
const members: readonly (readonly [rule: string, what: string, change: Readonly<Record<string, unknown>>])[] = [
  ["E02", "no REQUEST_METHOD", { REQUEST_METHOD: undefined }],
  ["E02", "an empty REQUEST_METHOD", { REQUEST_METHOD: "" }],
  ["E03", "no SERVER_NAME", { SERVER_NAME: "" }],
  ["E03", "a SERVER_PORT that is a number", { SERVER_PORT: 80 }],
  ["E03", "a SERVER_PORT that is no number", { SERVER_PORT: "http" }],
  ["E04", 'SCRIPT_NAME "/"', { SCRIPT_NAME: "/" }],
  ["E04", "SCRIPT_NAME without a slash", { SCRIPT_NAME: "app" }],
  ["E04", "no SCRIPT_NAME", { SCRIPT_NAME: undefined }],
  ["E05", "SCRIPT_NAME and PATH_INFO empty", { PATH_INFO: "" }],
  ["E05", "PATH_INFO without a slash", { PATH_INFO: "x" }],
  ["E08", "no QUERY_STRING", { QUERY_STRING: undefined }],
  ["E09", "HTTP_CONTENT_TYPE", { HTTP_CONTENT_TYPE: "text/plain" }],
  ["E09", "HTTP_CONTENT_LENGTH", { HTTP_CONTENT_LENGTH: "5" }],
  ["E10", "a negative CONTENT_LENGTH", { CONTENT_LENGTH: "-1" }],
  ["E10", "a CONTENT_LENGTH that is no number", { CONTENT_LENGTH: "5 bytes" }],
  ["E11", "HTTP_TRANSFER_ENCODING", { HTTP_TRANSFER_ENCODING: "chunked" }],
  ["E11", "wsgi.input_terminated as text", { "wsgi.input_terminated": "yes" }],
  ["E12", "no SERVER_PROTOCOL", { SERVER_PROTOCOL: undefined }],
  ["E13", "a field in lower case", { HTTP_accept: "text/plain" }],
  ["E13", "a field with a dash", { "HTTP_X-A": "b" }],
  ["E15", "a value that is a number", { REMOTE_PORT: 1234 }],
  ["E16", "a value beyond latin-1", { HTTP_X_A: "\u0442\u0435\u0441\u0442" }],
  ["E17", "wsgi.version as text", { "wsgi.version": "1.0" }],
  ["E17", "wsgi.url_scheme ftp", { "wsgi.url_scheme": "ftp" }],
  ["E17", "no wsgi.multithread", { "wsgi.multithread": undefined }],
  ["E17", "wsgi.run_once as a number", { "wsgi.run_once": 0 }],
  ["E17", "no wsgi.errors", { "wsgi.errors": undefined }],
  ["E18", "HTTPS on and the scheme http", { HTTPS: "on" }],
  ["E23", "HTTP_PROXY", { HTTP_PROXY: "http://evil/" }],
  ["I01", "an input without readlines", {
    "wsgi.input": { read: () => {}, readline: () => {}, [Symbol.asyncIterator]: () => {} },
  }],
  ["I01", "an input that cannot be iterated", {
    "wsgi.input": { read: () => {}, readline: () => {}, readlines: () => {} },
  }],
  ["X01", "an error stream without flush", { "wsgi.errors": { write: () => {}, writelines: () => {} } }],
  ["W01", "a file wrapper that is no function", { "wsgi.file_wrapper": {} }],
];

const strictMembers: typeof members = [
  ["E19", "an empty REMOTE_USER", { REMOTE_USER: "" }],
  ["E24", "a key with upper case letters", { "Spam.Eggs": 1 }],
];

function changed(rows: typeof members, strict: boolean): ServerRow[] {
  return rows.map(([rule, what, change]) => ({
    rule,
    what,
    strict,
    serve: (app) => {
      const environ: Record<string, unknown> = { ...createEnviron(), ...change };
      for (const key of Object.keys(change)) if (change[key] === undefined) delete environ[key];
      return app(environ as Environ, start);
    },
  }));
}

/** An input that answers every read with what a row says. */
function input(given: Readonly<Record<string, unknown>>, length?: string): Environ {
  const answers = (key: string) => () => Promise.resolve(given[key] ?? new Uint8Array(0));
  const steps = (): unknown => ({ next: () => Promise.resolve(given.step ?? { done: true }) });
  const source = {
    read: answers("read"),
    readline: answers("readline"),
    readlines: answers("readlines"),
    [Symbol.asyncIterator]: steps,
    ...(given.own as object | undefined),
  };
  return createEnviron({
    environ: { "wsgi.input": source, ...(length === undefined ? {} : { CONTENT_LENGTH: length }) },
  });
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** An application that reads, and a server whose input is wrong. */
function reading(
  rule: string,
  what: string,
  read: (input: Environ["wsgi.input"]) => Promise<unknown>,
  environ: () => Environ,
): ServerRow {
  const app: Application = async (environ, startResponse) => {
    await read(environ["wsgi.input"]);
    startResponse("200 OK", plain);
    return [];
  };
  return { rule, what, app, serve: (app) => app(environ(), start) };
}

const inputs: readonly ServerRow[] = [
  reading("I01-types", "read gives text", (i) => i.read(5), () => input({ read: "hello" })),
  reading("I01-types", "read gives no promise", (i) => i.read(5), () => input({ own: { read: () => bytes } })),
  reading("I01-types", "readlines gives bytes", (i) => i.readlines(), () => input({ readlines: bytes })),
  reading("I01-types", "iterating gives text", async (i) => {
    for await (const _ of i);
  }, () => input({ step: { done: false, value: "text" } })),
  reading("I02", "more bytes than CONTENT_LENGTH", (i) => i.read(5), () => input({ read: encode("hello") }, "3")),
  reading("I04", "read(2) gives five bytes", (i) => i.read(2), () => input({ read: encode("hello") })),
  reading("I03-end", "bytes behind the end", async (i) => {
    await i.read(9);
    await i.read(9);
  }, () => input({ read: encode("hello") })),
  reading("I05", "readline gives two lines", (i) => i.readline(), () => input({ readline: encode("a\nb\n") })),
  reading("I05", "readline(2) gives three bytes", (i) => i.readline(2), () => input({ readline: encode("abc") })),
  reading(
    "I06",
    "readlines cuts a line",
    (i) => i.readlines(),
    () => input({ readlines: [encode("a"), encode("b\n")] }),
  ),
  reading("I08", "an end before CONTENT_LENGTH", (i) => i.read(), () => input({ read: encode("abc") }, "5")),
  reading("T01", "two reads at a time are served", (i) => Promise.all([i.read(1), i.read(1)]), () => input({})),
];

const others: readonly ServerRow[] = [
  {
    rule: "M07-call",
    what: "one argument",
    serve: (app) => (app as unknown as (e: Environ) => unknown)(createEnviron()),
  },
  {
    rule: "M07-call",
    what: "three arguments",
    serve: (app) => (app as (...args: unknown[]) => unknown)(createEnviron(), start, null),
  },
  {
    rule: "M07-call",
    what: "a startResponse that cannot be called",
    serve: (app) => app(createEnviron(), {} as StartResponse),
  },
  {
    rule: "E01",
    what: "an environ with a class",
    serve: (app) => app(Object.assign(Object.create({ inherited: "x" }), createEnviron()), start),
  },
  { rule: "E01", what: "a frozen environ", serve: (app) => app(Object.freeze(createEnviron()), start) },
  {
    rule: "E01",
    what: "an environ with a getter",
    serve: (app) => {
      const environ = Object.defineProperty(createEnviron(), "HTTP_X", { get: () => "x", enumerable: true });
      return app(environ, start);
    },
  },
  {
    rule: "E20",
    what: "run_once, twice",
    serve: (app) => {
      app(createEnviron({ environ: { "wsgi.run_once": true } }), start);
      app(createEnviron(), start);
    },
  },
  { rule: "R02", what: "startResponse gives nothing", serve: (app) => app(createEnviron(), (() => {}) as never) },
  {
    rule: "R09",
    what: "excInfo is thrown although nothing was sent",
    app: (_environ, startResponse) => {
      startResponse("200 OK", plain);
      startResponse("500 Oops", plain, new Error("replaces"));
      return [];
    },
    serve: (app) =>
      body(app, (_status, _headers, excInfo) => {
        if (excInfo !== undefined) throw excInfo;
        return () => undefined;
      }),
  },
  ...([["it returns", () => {}], ["something else is thrown", () => {
    throw new Error("another one");
  }]] as const).map(([what, late]): ServerRow => ({
    rule: "R10",
    what: `excInfo after the head: ${what}`,
    app: (_environ, startResponse) => {
      startResponse("200 OK", plain);
      return (function* () {
        yield bytes;
        startResponse("500 Oops", plain, new Error("too late"));
      })();
    },
    serve: (app) => {
      const iterator = body(app, (_status, _headers, excInfo) => {
        if (excInfo !== undefined) late();
        return () => undefined;
      })[Symbol.iterator]();
      iterator.next();
      iterator.next();
    },
  })),
  {
    rule: "T02",
    what: "write gives a number",
    app: (_environ, startResponse) => {
      startResponse("200 OK", plain)(bytes);
      return [];
    },
    serve: (app) => body(app, () => () => 5 as never),
  },
  {
    rule: "T03",
    what: "write takes a block after the application has returned",
    app: (_environ, startResponse) => {
      const write = startResponse("200 OK", plain);
      return (function* () {
        void write(bytes);
        yield bytes;
      })();
    },
    serve: (app) => body(app)[Symbol.iterator]().next(),
  },
  {
    rule: "B11",
    what: "write takes more than the Content-Length",
    app: (_environ, startResponse) => {
      startResponse("200 OK", [...plain, ["Content-Length", "1"]])(bytes);
      return [];
    },
    serve: (app) => body(app),
  },
  {
    rule: "B11",
    what: "more is pulled after the Content-Length",
    app: (_environ, startResponse) => {
      startResponse("200 OK", [...plain, ["Content-Length", "1"]]);
      return (function* () {
        for (;;) yield bytes;
      })();
    },
    serve: (app) => {
      const iterator = body(app)[Symbol.iterator]();
      iterator.next();
      iterator.next();
    },
  },
  {
    rule: "T04-late",
    what: "earlyHints is taken after the head",
    app: (environ, startResponse) => {
      void startResponse("200 OK", plain)(bytes);
      environ["tsgi.request"].earlyHints([["Link", "</a.css>"]]);
      return [];
    },
    serve: (app) => body(app), // the request of createEnviron knows of no head
  },
  {
    rule: "B13",
    what: "close() is called twice",
    serve: (app) => {
      const given = body(app);
      given.close();
      given.close();
    },
  },
  {
    rule: "B13",
    what: "an iterable is closed twice",
    app: generator,
    serve: (app) => {
      const given = body(app);
      given.close();
      given.close();
    },
  },
  {
    rule: "B13",
    what: "close() is never called",
    serve: (app) => {
      body(app);
      app.assertClosed();
    },
  },
  {
    rule: "B13",
    what: "an iterable is left in the middle",
    app: generator,
    serve: (app) => {
      body(app)[Symbol.iterator]().next();
      app.assertClosed();
    },
  },
  {
    rule: "M07-closed",
    what: "a block is asked for after close()",
    app: generator,
    serve: (app) => {
      const given = body(app);
      const iterator = given[Symbol.iterator]();
      iterator.next();
      given.close();
      iterator.next();
    },
  },
  {
    rule: "M07-closed",
    what: "a body is iterated after close()",
    app: asynchronous,
    serve: (app) => {
      const given = body(app);
      given.close();
      given[Symbol.asyncIterator]();
    },
  },
  {
    rule: "B17",
    what: "a body is iterated twice",
    app: generator,
    serve: (app) => {
      const given = body(app);
      given[Symbol.iterator]();
      given[Symbol.iterator]();
    },
  },
  {
    rule: "B03",
    what: "a block is asked for while one is awaited",
    app: asynchronous,
    serve: (app) => {
      const iterator = body(app)[Symbol.asyncIterator]();
      void iterator.next();
      return iterator.next();
    },
  },
];

/** All of them. */
export const serverRows: readonly ServerRow[] = [
  ...changed(members, false),
  ...changed(strictMembers, true),
  ...inputs,
  ...others,
];

/** Makes a check for each row, and one for errors that are reported because nobody can catch them. */
export const serverChecks: readonly Check[] = [
  ...serverRows.map(({ rule, what, strict = false, app = hello, serve }): Check => ({
    name: `${rule} is broken by a server${strict ? ", strictly" : ""}: ${what}`,
    run: async () => isViolation(await thrownBy(() => serve(validator(app, { strict }))), rule, "server"),
  })),
  ...[generator, asynchronous].map((app): Check => ({
    name: `B13 a body that has ended and is open is reported at the next call: ${
      app === generator ? "iterator" : "async iterator"
    }`,
    run: async () => {
      const reported: WsgiViolation[] = [];
      const validated = validator(app, { report: (violation) => void reported.push(violation) });
      const given = body(validated);
      if (app === generator) { for (const _ of given as unknown as Iterable<unknown>); }
      else for await (const _ of given as unknown as AsyncIterable<unknown>);
      body(validated).close();
      await new Promise((resolve) => setTimeout(resolve, 0));
      equal(reported.length, 1);
      isViolation(reported[0], "B13", "server");
      validated.assertClosed(); // it is reported once
    },
  })),
  {
    name: "B13 what is open is reported on wsgi.errors unless told otherwise",
    run: async () => {
      let log = "";
      const validated = validator(generator);
      for (const _ of body(validated) as unknown as Iterable<unknown>);
      body(validated, start, createEnviron({ errorLog: (text) => void (log += text) })).close();
      await new Promise((resolve) => setTimeout(resolve, 0));
      equal(log.startsWith("B13, broken by the server: the body of GET / was left open"), true, log);
    },
  },
];
