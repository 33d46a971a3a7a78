/**
 * `wsgiref.handlers` and the demo application: CPython's cases for handlers, and rules C05, X10 to X13, B13, B21.
 *
 * @module
 */

import type { Application, Environ, StartResponse } from "../../mod.ts";
import { demoApp } from "../../wsgiref/demo_app.ts";
import {
  BaseCGIHandler,
  CGIHandler,
  type CGIVariables,
  type HandlerInput,
  IISCGIHandler,
  SimpleHandler,
} from "../../wsgiref/handlers.ts";
import { validator } from "../../wsgiref/validate.ts";
import { type Check, equal, latin1, ok } from "./check.ts";

/** A handler of some class, and what came of running an application on it. */
interface Ran {
  readonly whole: boolean;
  readonly out: string;
  readonly err: string;
  readonly handler: SimpleHandler;
}

type HandlerClass = new (...args: ConstructorParameters<typeof SimpleHandler>) => SimpleHandler;

async function ran(
  app: Application,
  variables: CGIVariables = {},
  Handler: HandlerClass = BaseCGIHandler,
  prepare: (handler: SimpleHandler) => void = () => {},
  stdin: HandlerInput = null,
): Promise<Ran> {
  let out = "";
  let err = "";
  const output = { write: (bytes: Uint8Array) => void (out += latin1(bytes)) };
  const all = { REQUEST_METHOD: "GET", PATH_INFO: "/", ...variables };
  const handler = new Handler(stdin, output, (text) => void (err += text), all);
  handler.now = () => 784111777000;
  prepare(handler);
  return { whole: await handler.run(app), out, err, handler };
}

const scheme: Application = (environ, startResponse) => {
  startResponse("200 OK", []);
  return [environ["wsgi.url_scheme"]];
};

const empty: Application = (_environ, startResponse) => {
  startResponse("200 OK", []);
  return [];
};

const failing: Application = () => {
  throw new RangeError("the spam is out");
};

const coded = (code: string): Error => Object.assign(new Error(code), { code });

const called = (name: string): Error => Object.assign(new Error(name), { name });

/** What an output may fail with, and whether that is logged. */
const outputErrors: readonly (readonly [what: string, error: unknown, logged: boolean])[] = [
  ...["EPIPE", "ECONNRESET", "ECONNABORTED", "ESHUTDOWN", "ERR_STREAM_DESTROYED", "ERR_STREAM_PREMATURE_CLOSE"].map((
    code,
  ) => [code, coded(code), false] as const),
  ...["BrokenPipe", "ConnectionReset", "ConnectionAborted", "AbortError"].map((name) =>
    [name, called(name), false] as const
  ),
  ...["ENOSPC", "EIO", "EBADF", "ETIMEDOUT", "ERR_STREAM_WRITE_AFTER_END"].map((code) =>
    [code, coded(code), true] as const
  ),
  ["an error without a code", new Error("boom"), true],
  ["a TypeError", new TypeError("boom"), true],
  ["text", "EPIPE", true],
  ["nothing", undefined, true],
];

/** Applications and what a CGI handler makes of them. */
const responses: readonly (readonly [what: string, app: Application, variables: CGIVariables, out: string])[] = [
  ["an array of one", scheme, {}, "Status: 200 OK\r\nContent-Length: 4\r\n\r\nhttp"],
  ["an array of one over https", scheme, { HTTPS: "on" }, "Status: 200 OK\r\nContent-Length: 5\r\n\r\nhttps"],
  [
    "write(), and no block",
    (environ, startResponse) => {
      void startResponse("200 OK", [])(environ["wsgi.url_scheme"]);
      return [];
    },
    {},
    "Status: 200 OK\r\n\r\nhttp",
  ],
  [
    "text that is not ASCII",
    (_environ, startResponse) => {
      startResponse("200 OK", []);
      return ["\u0442\u0435\u0441\u0442"];
    },
    {},
    "Status: 200 OK\r\nContent-Length: 8\r\n\r\n\u00d1\u0082\u00d0\u00b5\u00d1\u0081\u00d1\u0082",
  ],
  [
    "a Content-Length of the application's, for HEAD",
    (_environ, startResponse) => {
      startResponse("200 OK", [["Content-Length", "12345"]]);
      return [];
    },
    { REQUEST_METHOD: "HEAD" },
    "Status: 200 OK\r\nContent-Length: 12345\r\n\r\n",
  ],
  [
    "14.31 a 205, which has no content",
    (_environ, startResponse) => {
      startResponse("205 Reset Content", [["Content-Length", "4"]]);
      return ["spam"];
    },
    {},
    "Status: 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
  ],
  ["nothing", empty, {}, "Status: 200 OK\r\nContent-Length: 0\r\n\r\n"],
  [
    "a generator of one block",
    function* (environ: Environ, startResponse: StartResponse) {
      startResponse("200 OK", [["X-A", "1"]]);
      yield environ.REQUEST_METHOD;
    },
    {},
    "Status: 200 OK\r\nX-A: 1\r\n\r\nGET",
  ],
  [
    "an async body",
    async function* (environ: Environ, startResponse: StartResponse) {
      startResponse("200 OK", []);
      await Promise.resolve();
      yield environ.PATH_INFO;
    },
    {},
    "Status: 200 OK\r\n\r\n/",
  ],
  [
    "a redirect keeps its status first",
    (_environ, startResponse) => {
      startResponse("302 Found", [["Location", "/there"]]);
      return [];
    },
    {},
    "Status: 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n",
  ],
];

const DATE = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";

export const handlersChecks: readonly Check[] = [
  ...responses.map(([what, app, variables, expected]): Check => ({
    name: `C05 a CGI handler answers: ${what}`,
    run: async () => {
      const { out, err, whole } = await ran(app, variables);
      equal([out, err, whole], [expected, "", true]);
    },
  })),
  ...(["1.0", "1.1"] as const).flatMap((version) =>
    ["HTTP/1.0", "HTTP/1.1"].flatMap((protocol) =>
      ["FooBar/1.0", null].map((software) => [version, protocol, software])
    )
  ).map(([version, protocol, software]): Check => ({
    name: `H01, H02 an origin server: HTTP/${version} to ${protocol}, software ${software}`,
    run: async () => {
      const prepare = (handler: SimpleHandler): void => {
        handler.httpVersion = version as "1.0" | "1.1";
        handler.serverSoftware = software as string | null;
      };
      const { out } = await ran(empty, { SERVER_PROTOCOL: protocol as string }, SimpleHandler, prepare);
      const server = software === null ? "" : `Server: ${software}\r\n`;
      equal(out, `HTTP/${version} 200 OK\r\n${DATE}${server}Content-Length: 0\r\n\r\n`);
      const cgi = await ran(empty, { SERVER_PROTOCOL: protocol as string }, BaseCGIHandler, prepare);
      equal(cgi.out, "Status: 200 OK\r\nContent-Length: 0\r\n\r\n");
    },
  })),
  {
    name: "H01, H02 an origin server repeats no Date and no Server of the application's",
    run: async () => {
      const app: Application = (_environ, startResponse) => {
        startResponse("200 OK", [["date", "today"], ["server", "mine"]]);
        return [];
      };
      const { out } = await ran(app, {}, SimpleHandler, (handler) => handler.serverSoftware = "FooBar/1.0");
      equal(out, "HTTP/1.0 200 OK\r\ndate: today\r\nserver: mine\r\nContent-Length: 0\r\n\r\n");
    },
  },
  {
    name: "X10 an application that throws gives errorStatus, errorHeaders and errorBody, and a trace",
    run: async () => {
      const { out, err, whole, handler } = await ran(failing);
      equal(
        out,
        `Status: ${handler.errorStatus}\r\nContent-Type: text/plain\r\n` +
          `Content-Length: ${handler.errorBody.length}\r\n\r\n${handler.errorBody}`,
      );
      ok(err.includes("RangeError: the spam is out") && !out.includes("spam"), err);
      equal(whole, true);
    },
  },
  {
    name: "X10 what the response to an error says is overridden",
    run: async () => {
      const { out } = await ran(failing, {}, BaseCGIHandler, (handler) => {
        handler.errorStatus = "503 Sorry";
        handler.errorHeaders = [["X-Why", "spam"]];
        handler.errorBody = "later";
      });
      equal(out, "Status: 503 Sorry\r\nX-Why: spam\r\nContent-Length: 5\r\n\r\nlater");
    },
  },
  {
    name: "X10 errorOutput and logException are overridden in a class",
    run: async () => {
      const logged: string[] = [];
      class Mine extends BaseCGIHandler {
        override logException(text: string): void {
          logged.push(text);
        }
        override errorOutput(environ: Environ, startResponse: StartResponse): string[] {
          startResponse("500 Mine", [["Content-Type", "text/plain"]]);
          return [`not at ${environ.PATH_INFO}`];
        }
      }
      const { out, err } = await ran(failing, {}, Mine);
      equal([out.split("\r\n")[0], out.split("\r\n\r\n")[1], err], ["Status: 500 Mine", "not at /", ""]);
      equal([logged.length, logged.join().includes("the spam is out")], [1, true]);
    },
  },
  {
    name: "X10 an errorOutput that fails too is still a response",
    run: async () => {
      const { out, err, whole } = await ran(failing, {}, BaseCGIHandler, (handler) => {
        handler.errorOutput = () => {
          throw new Error("the eggs too");
        };
      });
      equal([out.startsWith("Status: 500 "), whole], [true, true]);
      ok(err.includes("the spam is out") && err.includes("the eggs too"), err);
    },
  },
  {
    name: "X13 an error after output changes nothing that was sent, and run() tells",
    run: async () => {
      const { out, err, whole } = await ran((_environ, startResponse) => {
        void startResponse("200 OK", [])("Some output has been sent");
        throw new RangeError("the spam is out");
      });
      equal([out, whole], ["Status: 200 OK\r\n\r\nSome output has been sent", false]);
      ok(err.includes("RangeError"), err);
    },
  },
  {
    name: "B12 a body that is too short is told of by run()",
    run: async () => {
      const { out, whole } = await ran((_environ, startResponse) => {
        startResponse("200 OK", [["Content-Length", "9"]]);
        return ["short"];
      });
      equal([out, whole], ["Status: 200 OK\r\nContent-Length: 9\r\n\r\nshort", false]);
    },
  },
  ...(["at the end", "when a block throws", "when startResponse throws"] as const).map((when): Check => ({
    name: `B13 close() is called once: ${when}`,
    run: async () => {
      let closed = 0;
      await ran((_environ, startResponse) => ({
        *[Symbol.iterator]() {
          startResponse(when === "when startResponse throws" ? "bad" : "200 OK", []);
          yield "a";
          if (when === "when a block throws") throw new Error("the spam is out");
        },
        close: () => closed++,
      }));
      equal(closed, 1);
    },
  })),
  {
    name: "E17, E20 the flags of each class of handler",
    run: async () => {
      const flags = async (Handler: HandlerClass): Promise<unknown[]> => {
        const { environ } = (await ran(empty, {}, Handler)).handler;
        return ["multithread", "multiprocess", "run_once"].map((name) => environ?.[`wsgi.${name}`]);
      };
      equal(await flags(SimpleHandler), [false, false, false]);
      equal(await flags(BaseCGIHandler), [false, false, false]);
      equal(await flags(CGIHandler), [false, true, true]);
      equal(await flags(IISCGIHandler as HandlerClass), [false, true, true]);
      const told = new SimpleHandler(null, { write: () => {} }, () => {}, { REQUEST_METHOD: "GET" }, {
        multithread: true,
        multiprocess: true,
      });
      await told.run(empty);
      equal([told.environ?.["wsgi.multithread"], told.environ?.["wsgi.multiprocess"]], [true, true]);
    },
  },
  {
    name: "The environ: variables of the request, those below them, the server's software, the streams",
    run: async () => {
      const { handler } = await ran(empty, { HTTP_X_SPAM: "eggs", SERVER_NAME: "here" }, SimpleHandler, (handler) => {
        handler.osEnviron = { SPAM_HOME: "/spam", SERVER_NAME: "below" };
        handler.serverSoftware = "FooBar/1.0";
      });
      const environ = handler.environ as Environ;
      const names = ["HTTP_X_SPAM", "SPAM_HOME", "SERVER_NAME", "SERVER_SOFTWARE", "PATH_INFO"];
      equal(names.map((name) => environ[name]), ["eggs", "/spam", "here", "FooBar/1.0", "/"]);
    },
  },
  {
    name: "getScheme and setupEnviron are overridden",
    run: async () => {
      class Mine extends BaseCGIHandler {
        override getScheme(): "https" {
          return "https";
        }
        override setupEnviron(): ReturnType<SimpleHandler["setupEnviron"]> {
          const made = super.setupEnviron();
          made.environ["mine.key"] = 7;
          return made;
        }
      }
      const app: Application = (environ, startResponse) => {
        startResponse("200 OK", []);
        return [`${environ["wsgi.url_scheme"]} ${environ["mine.key"]}`];
      };
      ok((await ran(app, {}, Mine)).out.endsWith("\r\n\r\nhttps 7"), "not overridden");
    },
  },
  {
    name: "W01 the file wrapper is another, or none",
    run: async () => {
      const app: Application = (environ, startResponse) => {
        startResponse("200 OK", []);
        return [typeof environ["wsgi.file_wrapper"]];
      };
      ok((await ran(app)).out.endsWith("function"), "there is one");
      ok((await ran(app, {}, BaseCGIHandler, (h) => h.wsgiFileWrapper = null)).out.endsWith("undefined"), "it stays");
      const mine = (() => ["mine"]) as unknown as Environ["wsgi.file_wrapper"];
      const wrapping: Application = (environ, startResponse) => {
        startResponse("200 OK", []);
        return environ["wsgi.file_wrapper"]({ read: () => null });
      };
      ok((await ran(wrapping, {}, BaseCGIHandler, (h) => h.wsgiFileWrapper = mine)).out.endsWith("mine"), "not mine");
    },
  },
  {
    name: "IISCGIHandler takes SCRIPT_NAME off PATH_INFO, on a segment boundary",
    run: async () => {
      for (
        const [script, path, after] of [["/a", "/a/b", "/b"], ["/a", "/a", ""], ["/a", "/ab", "/ab"], ["", "/x", "/x"]]
      ) {
        const variables = { SCRIPT_NAME: script as string, PATH_INFO: path as string };
        equal((await ran(empty, variables, IISCGIHandler as HandlerClass)).handler.environ?.PATH_INFO, after as string);
      }
    },
  },
  ...(["bytes", "iterable", "async iterable"] as const).map((form): Check => ({
    name: `C04 CONTENT_LENGTH bytes of the input are the body: ${form}`,
    run: async () => {
      const parts = ["he", "llo", "more"].map((text) => new TextEncoder().encode(text));
      const stdin: HandlerInput = form === "bytes"
        ? new TextEncoder().encode("hellomore")
        : form === "iterable"
        ? parts
        : (async function* () {
          for (const part of parts) yield part;
        })();
      const app: Application = async (environ, startResponse) => {
        startResponse("200 OK", []);
        return [await environ["wsgi.input"].read(), await environ["wsgi.input"].read()];
      };
      const variables = { REQUEST_METHOD: "POST", CONTENT_LENGTH: "5" };
      ok((await ran(app, variables, BaseCGIHandler, undefined, stdin)).out.endsWith("\r\n\r\nhello"), form);
    },
  })),
  {
    name: "I08 an input that ends early is a 400, not a short body",
    run: async () => {
      const app: Application = async (environ, startResponse) => {
        const body = await environ["wsgi.input"].read();
        startResponse("200 OK", []);
        return [body];
      };
      const variables = { REQUEST_METHOD: "POST", CONTENT_LENGTH: "5" };
      const { out } = await ran(app, variables, BaseCGIHandler, undefined, new TextEncoder().encode("he"));
      ok(out.startsWith("Status: 400 Bad Request\r\n"), out);
    },
  },
  ...([{ REQUEST_METHOD: undefined }, { CONTENT_LENGTH: "five" }] as CGIVariables[]).map((variables): Check => ({
    name: `Variables that make no request are a 400, and the application is not called: ${Object.keys(variables)}`,
    run: async () => {
      let called = false;
      const { out, err } = await ran(() => {
        called = true;
        return [];
      }, variables);
      ok(out.startsWith("Status: 400 Bad Request\r\n") && err.includes("400"), out + err);
      equal(called, false);
    },
  })),
  {
    name: "B04 an output that gives promises holds the application back",
    run: async () => {
      let pulled = 0;
      let closed = 0;
      const waiting: (() => void)[] = [];
      const output = { write: () => new Promise<void>((resolve) => waiting.push(resolve)) };
      const handler = new BaseCGIHandler(null, output, () => {}, { REQUEST_METHOD: "GET" });
      const running = handler.run((_environ, startResponse) => {
        startResponse("200 OK", []);
        return {
          *[Symbol.iterator]() {
            for (let i = 0; i < 100; i++) {
              pulled++;
              yield new Uint8Array(16384);
            }
          },
          close: () => closed++,
        };
      });
      await new Promise((resolve) => setTimeout(resolve, 0));
      ok(pulled > 0 && pulled < 10, `${pulled} blocks were pulled`);
      const pump = setInterval(() => waiting.splice(0).forEach((resolve) => resolve()), 0);
      equal(await running, true);
      clearInterval(pump);
      equal([pulled, closed], [100, 1]);
    },
  },
  ...outputErrors.flatMap(([what, error, logged]) =>
    [false, true].map((later): Check => ({
      name: `B21 14.35 an output that fails ${later ? "later" : "at once"} with ${what} is a client that has gone: ` +
        `${logged ? "logged once" : "quiet"}, close() once, run() gives false`,
      run: async () => {
        let closed = 0;
        let err = "";
        let writes = 0;
        const output = {
          write: () => {
            if (++writes < 3) return undefined;
            if (later) return Promise.reject(error);
            throw error;
          },
        };
        const handler = new BaseCGIHandler(null, output, (text) => void (err += text), { REQUEST_METHOD: "GET" });
        const whole = await handler.run((_environ, startResponse) => {
          startResponse("200 OK", []);
          return {
            async *[Symbol.asyncIterator]() {
              for (;;) yield await Promise.resolve("spam");
            },
            close: () => closed++,
          };
        });
        await new Promise((resolve) => setTimeout(resolve, 0));
        equal([whole, closed], [false, 1]);
        equal(err.split("the response could not be written").length - 1, logged ? 1 : 0, err);
        if (!logged) equal(err, "");
      },
    }))
  ),
  {
    name: "14.35 an output that fails while a refusal is written is logged too",
    run: async () => {
      let err = "";
      const output = {
        write: () => {
          throw coded("ENOSPC");
        },
      };
      const handler = new BaseCGIHandler(null, output, (text) => void (err += text), {});
      equal(await handler.run(empty), false);
      ok(err.includes("refused a request: 400") && err.includes("could not be written: Error: ENOSPC"), err);
    },
  },
  {
    name:
      "The demo application greets and shows its environ; the validator has nothing against it, nor against handlers",
    run: async () => {
      for (const Handler of [SimpleHandler, BaseCGIHandler, CGIHandler]) {
        const { out, err } = await ran(validator(demoApp, { strict: true }), { QUERY_STRING: "" }, Handler);
        ok(out.includes("\r\n\r\nHello world!\n\n"), out + err);
        ok(out.includes('\nPATH_INFO = string "/"\n') && out.includes("\nwsgi.errors = an object"), out);
      }
    },
  },
];
