/** M01 to M03: one inner block gives one outer block, at once; close() and an early end pass. @module */

import type { ApplicationFunction, Body, Chunk } from "../../mod.ts";
import {
  compose,
  cors,
  errorPage,
  type Middleware,
  mount,
  router,
  secureHeaders,
  sessions,
} from "../../middleware/mod.ts";
import { createEnviron } from "../../testing/mod.ts";
import { type Check, equal, ok } from "../wsgiref/check.ts";

const KEYS = ["k".repeat(32)];

/** Changes the session of each request, so that its head waits for a signature. */
const changing: Middleware = (app) =>
  sessions<{ n: number }>({ keys: KEYS })((environ, startResponse) => {
    environ["tsgi.session"].n = 1;
    return app(environ, startResponse);
  });

const kinds: readonly (readonly [string, Middleware])[] = [
  ["cors", cors()],
  ["secureHeaders", secureHeaders()],
  ["errorPage", errorPage()],
  ["sessions", sessions({ keys: KEYS }) as Middleware],
  ["sessions that change", changing],
  ["mount", (app) => mount({ "/": app })],
  ["router", (app) => router().get("/", app)],
  ["all at once", compose(secureHeaders(), errorPage(), cors(), changing, (app) => router().mount("/", app))],
];

const BLOCKS = ["a", "", "b", "", "c"];

/** A body that notes what is done with it. */
class Noted {
  readonly log: string[] = [];
  readonly #asynchronous: boolean;

  constructor(asynchronous: boolean) {
    this.#asynchronous = asynchronous;
  }

  body(begin: () => void): Body {
    const { log } = this;
    let at = 0;
    const iterator = {
      next: (): IteratorResult<Chunk> => {
        if (at === 0) begin();
        log.push(`next ${at}`);
        return at < BLOCKS.length ? { done: false, value: BLOCKS[at++] as string } : { done: true, value: undefined };
      },
      return: (): IteratorResult<Chunk> => {
        log.push("return");
        return { done: true, value: undefined };
      },
    };
    const close = (): void => void log.push("close");
    if (!this.#asynchronous) return Object.assign({ [Symbol.iterator]: () => iterator }, { close });
    const later = {
      next: () => Promise.resolve(iterator.next()),
      return: () => Promise.resolve(iterator.return()),
    };
    return Object.assign({ [Symbol.asyncIterator]: () => later }, { close });
  }
}

interface Outer {
  next(): IteratorResult<Chunk> | Promise<IteratorResult<Chunk>>;
  return?(): unknown;
}

/** Calls an application as a server does. */
async function called(app: ApplicationFunction): Promise<{ outer: Outer; close: () => unknown; heads: string[] }> {
  const heads: string[] = [];
  const body = await app(createEnviron(), (status) => {
    heads.push(status);
    return () => undefined;
  });
  const outer = Symbol.iterator in body
    ? (body as Iterable<Chunk>)[Symbol.iterator]()
    : (body as AsyncIterable<Chunk>)[Symbol.asyncIterator]();
  return { outer, close: () => (body as { close?(): unknown }).close?.(), heads };
}

/** How the application behaves: asynchronous body or not, startResponse at the call or at the first block. */
const manners = [[false, false], [false, true], [true, false], [true, true]] as const;

export const transparencyChecks: readonly Check[] = kinds.flatMap(([name, around]) =>
  manners.map(([asynchronous, late]): Check => ({
    name: `19.26 M01 to M03: ${name}, ${asynchronous ? "an asynchronous" : "a synchronous"} body${
      late ? ", startResponse at its first block" : ""
    }`,
    run: async () => {
      for (const leave of [false, true]) {
        const noted = new Noted(asynchronous);
        const app: ApplicationFunction = (_environ, startResponse) => {
          const begin = (): void => void startResponse("200 OK", [["Content-Type", "text/plain"]]);
          if (!late) begin();
          return noted.body(late ? begin : () => {});
        };
        const { outer, close, heads } = await called(around(app));
        equal(noted.log, [], "no block is pulled before the server asks");
        for (const [i, block] of BLOCKS.entries()) {
          const step = await outer.next();
          equal([step.done ?? false, step.value], [false, block]);
          equal(noted.log.length, i + 1, "one pull a block");
          equal(heads, ["200 OK"], "the head is there before the first block");
          if (leave && i === 1) break;
        }
        if (leave) await outer.return?.();
        else equal((await outer.next()).done, true);
        await close();
        equal(noted.log.slice(-2), leave ? ["return", "close"] : ["next 5", "close"]);
      }
    },
  }))
).concat([
  {
    name: "19.26 a body whose blocks all exist stays the same array, so its length is known",
    run: async () => {
      const blocks = ["a", "b"];
      for (const [name, around] of kinds) {
        const body = await around((_environ, startResponse) => {
          startResponse("200 OK", [["Content-Type", "text/plain"]]);
          return blocks;
        })(createEnviron(), () => () => undefined);
        ok(body === blocks, name);
      }
    },
  },
  {
    name: "19.26 middleware that changes nothing adds no promise to a synchronous application",
    run: () => {
      for (const [name, around] of kinds.filter(([name]) => !/change|all/.test(name))) {
        const body = around((_environ, startResponse) => {
          startResponse("200 OK", [["Content-Type", "text/plain"]]);
          return "a";
        })(createEnviron(), () => () => undefined);
        equal(body, "a", name);
      }
    },
  },
]);
