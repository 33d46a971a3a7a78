/**
 * Which of the three forms an application has: decided once, when it is given.
 *
 * A callable `wsgiApp` first, else a class (its `prototype` cannot be written), else a function.
 */

import { describe, expect, test } from "vitest";
import { ApplicationError, asFunction } from "../../core/contract/application.ts";
import type { Application, Environ, StartResponse } from "../../core/contract/types.ts";

const ENVIRON = {} as Environ;
const START = (() => {}) as unknown as StartResponse;

/** What an application makes of a call. */
function result(app: unknown): unknown {
  return asFunction(app as Application)(ENVIRON, START);
}

class Iterated {
  readonly args: unknown[];
  constructor(...args: unknown[]) {
    this.args = args;
  }
  *[Symbol.iterator](): Generator<string> {
    yield "a";
  }
}

class Site {
  readonly word = "site";
  wsgiApp(environ: Environ, startResponse: StartResponse): string[] {
    return [this.word, String(environ === ENVIRON && startResponse === START)];
  }
}

class WithStatic {
  static readonly word = "static";
  static wsgiApp(): string[] {
    return [this.word];
  }
}

// An old-style constructor: to the language it is a function like any other.
function OldStyle(this: unknown): string[] {
  return [typeof this];
}
OldStyle.prototype.wsgiApp = () => ["method"];

describe("functions are called with environ and startResponse", () => {
  const echo = (...args: unknown[]): boolean => args.length === 2 && args[0] === ENVIRON && args[1] === START;
  const functions: Record<string, unknown> = {
    "an arrow": (...args: unknown[]) => [echo(...args)],
    "a function": function (...args: unknown[]) {
      return [echo(...args)];
    },
    "a bound function": ((...args: unknown[]) => [echo(...args)]).bind(null),
    "a bound method": { app: (...args: unknown[]) => [echo(...args)] }.app.bind(null),
    "a method": {
      app(...args: unknown[]) {
        return [echo(...args)];
      },
    }.app,
    "a proxy of a function": new Proxy((...args: unknown[]) => [echo(...args)], {}),
    "a function with a wsgiApp that is no function": Object.assign((...args: unknown[]) => [echo(...args)], {
      wsgiApp: 1,
    }),
  };
  for (const [name, app] of Object.entries(functions)) test(name, () => expect(result(app)).toEqual([true]));

  test("an async function", async () => {
    // deno-lint-ignore require-await -- the form is what counts
    expect(await result(async () => ["a"])).toEqual(["a"]);
  });

  test("a generator function and an async generator function", async () => {
    const sync = function* (...args: unknown[]): Generator<boolean> {
      yield echo(...args);
    };
    const later = async function* (...args: unknown[]): AsyncGenerator<boolean> {
      yield await Promise.resolve(echo(...args));
    };
    expect([...(result(sync) as Generator<boolean>)]).toEqual([true]);
    expect(await (result(later) as AsyncGenerator<boolean>).next()).toEqual({ done: false, value: true });
  });

  test("an old-style constructor is a function: it is called, its prototype does not count", () => {
    expect(result(OldStyle)).toEqual(["undefined"]);
  });

  test("a function is given back as it is", () => {
    const app = (): string => "a";
    expect(asFunction(app)).toBe(app);
  });
});

describe("classes are constructed with environ and startResponse", () => {
  const classes: Record<string, unknown> = {
    "a class": Iterated,
    "a subclass": class extends Iterated {},
    "an anonymous class": (() => class extends Iterated {})(),
    "a proxy of a class": new Proxy(Iterated, {}),
    "a class with a static wsgiApp that is no function": class extends Iterated {
      static wsgiApp = "no";
    },
  };
  for (const [name, app] of Object.entries(classes)) {
    test(`${name}, anew for each request`, () => {
      const first = result(app) as Iterated;
      expect(first).toBeInstanceOf(Iterated);
      expect(first.args).toEqual([ENVIRON, START]);
      expect(result(app)).not.toBe(first);
    });
  }
});

describe("objects are called by their wsgiApp, with this bound", () => {
  const objects: Record<string, [app: unknown, expected: string[]]> = {
    "an instance": [new Site(), ["site", "true"]],
    "an instance of a subclass": [new (class extends Site {})(), ["site", "true"]],
    "a literal": [{ wsgiApp: () => ["literal"] }, ["literal"]],
    "an object without prototype": [Object.assign(Object.create(null), { wsgiApp: () => ["null"] }), ["null"]],
    "a function that has a wsgiApp": [Object.assign(() => ["called"], { wsgiApp: () => ["wsgiApp"] }), ["wsgiApp"]],
    "a class with a static wsgiApp": [WithStatic, ["static"]],
  };
  for (const [name, [app, expected]] of Object.entries(objects)) {
    test(name, () => expect(result(app)).toEqual(expected));
  }

  test("the form is decided once: a wsgiApp exchanged later does not count", () => {
    const app = { wsgiApp: () => ["first"] };
    const given = asFunction(app);
    app.wsgiApp = () => ["second"];
    expect(given(ENVIRON, START)).toEqual(["first"]);
  });
});

describe("what is no application is refused", () => {
  const wrong: [given: unknown, message: string][] = [
    [null, "got null"],
    [undefined, "got undefined"],
    [7, "got number 7"],
    ["app", 'got string "app"'],
    [true, "got boolean true"],
    [Symbol("app"), "got symbol"],
    [{}, "got an object (Object)"],
    [[], "got an array"],
    [{ wsgiApp: "no" }, "got an object (Object)"],
    [Object.create(null), "got an object (no class)"],
    [new Date(0), "got an object (Date)"],
    [Promise.resolve(() => []), "got an object (Promise)"],
  ];
  for (const [given, message] of wrong) {
    test(message, () => {
      expect(() => asFunction(given as Application)).toThrow(ApplicationError);
      expect(() => asFunction(given as Application)).toThrow(message);
    });
  }

  for (const given of [Site, class Derived extends Site {}]) {
    test(`class ${given.name} with a wsgiApp method: an instance is wanted`, () => {
      const attempt = (): unknown => asFunction(given as unknown as Application);
      expect(attempt).toThrow(ApplicationError);
      expect(attempt).toThrow(`pass an instance, new ${given.name}(), not the class`);
    });
  }
});
