/**
 * Makes bodies of every kind from one script, and counts how often they were pulled, stopped and closed.
 *
 * A script is a list of blocks. A function in it is called when its turn comes, and its result replaces it: a value, an
 * error or a promise. So one script describes the same ending for all kinds of body.
 *
 * @module
 */

import type { Body } from "../../core/contract/types.ts";

/** The counts of a body. */
export class BodyWatch {
  /** Calls of `next`. */
  pulls = 0;
  /** Calls of the iterator's `return` (for a stream: `cancel`). */
  stops = 0;
  /** Calls of `close`. */
  closes = 0;
  /** Calls of `next` or `return` after the iterator had ended or thrown. */
  late = 0;
  /** Whether the iterator has ended or thrown. */
  over = false;

  next(): void {
    this.pulls++;
    if (this.over) this.late++;
  }

  stop(): void {
    this.stops++;
    if (this.over) this.late++;
  }
}

/** A script: blocks, and functions that make blocks. */
export type Script = readonly unknown[];

/** One kind of body. */
export interface Kind {
  readonly name: string;
  /** Whether it may wait between blocks. */
  readonly async: boolean;
  /** Whether it can be stopped before its end. */
  readonly stoppable: boolean;
  readonly make: (script: Script, watch: BodyWatch) => Body | Promise<Body>;
}

type Step = IteratorResult<unknown, undefined>;

/** The `next` of a synchronous body. */
function player(script: Script, watch: BodyWatch): () => Step {
  let at = 0;
  return () => {
    watch.next();
    if (at === script.length) {
      watch.over = true;
      return { done: true, value: undefined };
    }
    const entry = script[at++];
    try {
      return { done: false, value: typeof entry === "function" ? entry() : entry };
    } catch (error) {
      watch.over = true;
      throw error;
    }
  };
}

/** The `next` of an asynchronous body. */
function asyncPlayer(script: Script, watch: BodyWatch): () => Promise<Step> {
  const play = player(script, watch);
  return async () => {
    try {
      const step = play();
      return step.done === true ? step : { done: false, value: await step.value };
    } catch (error) {
      watch.over = true;
      throw error;
    }
  };
}

const DONE: Step = { done: true, value: undefined };

function closable(watch: BodyWatch): { close(): void } {
  return {
    close: () => {
      watch.closes++;
    },
  };
}

function asBody(body: unknown): Body {
  return body as Body;
}

/** Watches the `return` of a generator. */
function watched<T extends { return: (value: undefined) => unknown }>(generator: T, watch: BodyWatch): T {
  const original = generator.return.bind(generator);
  generator.return = (value) => {
    watch.stop();
    return original(value);
  };
  return Object.assign(generator, closable(watch));
}

function iterable(script: Script, watch: BodyWatch, stoppable: boolean): Body {
  const next = player(script, watch);
  const stop = {
    return: () => {
      watch.stop();
      return DONE;
    },
  };
  return asBody({ [Symbol.iterator]: () => ({ next, ...(stoppable ? stop : {}) }), ...closable(watch) });
}

function asyncIterable(script: Script, watch: BodyWatch, stoppable: boolean): Body {
  const next = asyncPlayer(script, watch);
  const stop = {
    return: () => {
      watch.stop();
      return Promise.resolve(DONE);
    },
  };
  return asBody({ [Symbol.asyncIterator]: () => ({ next, ...(stoppable ? stop : {}) }), ...closable(watch) });
}

function generator(script: Script, watch: BodyWatch): Body {
  const play = player(script, watch);
  const made = (function* () {
    for (let step = play(); step.done !== true; step = play()) yield step.value;
  })();
  return asBody(watched(made, watch));
}

function asyncGenerator(script: Script, watch: BodyWatch): Body {
  const play = asyncPlayer(script, watch);
  const made = (async function* () {
    for (let step = await play(); step.done !== true; step = await play()) yield step.value;
  })();
  return asBody(watched(made, watch));
}

function stream(script: Script, watch: BodyWatch): Body {
  const play = asyncPlayer(script, watch);
  const made = new ReadableStream<unknown>({
    pull: async (controller) => {
      const step = await play();
      if (step.done === true) controller.close();
      else controller.enqueue(step.value);
    },
    cancel: () => watch.stop(),
  }, { highWaterMark: 0 });
  return asBody(Object.assign(made, closable(watch)));
}

/** Every kind of body that is pulled block by block. */
export const KINDS: readonly Kind[] = [
  { name: "an iterable", async: false, stoppable: true, make: (s, w) => iterable(s, w, true) },
  { name: "an iterable without return", async: false, stoppable: false, make: (s, w) => iterable(s, w, false) },
  { name: "a generator", async: false, stoppable: true, make: generator },
  {
    name: "a promise of a generator",
    async: false,
    stoppable: true,
    make: (s, w) => Promise.resolve(generator(s, w)),
  },
  { name: "an async iterable", async: true, stoppable: true, make: (s, w) => asyncIterable(s, w, true) },
  {
    name: "an async iterable without return",
    async: true,
    stoppable: false,
    make: (s, w) => asyncIterable(s, w, false),
  },
  { name: "an async generator", async: true, stoppable: true, make: asyncGenerator },
  {
    name: "a promise of an async generator",
    async: true,
    stoppable: true,
    make: (s, w) => Promise.resolve(asyncGenerator(s, w)),
  },
  { name: "a ReadableStream", async: true, stoppable: true, make: stream },
];
