/** The three forms of an application, and one that chooses between them by path. */

import { type Body, type Environ, isMain, serve, type StartResponse } from "../mod.ts";

const PLAIN = [["Content-Type", "text/plain; charset=utf-8"]] as const;

/** A function. */
export function functionApp(_environ: Environ, startResponse: StartResponse): string[] {
  startResponse("200 OK", PLAIN);
  return ["I am a function\n"];
}

/** A class: constructed for each request, then iterated. */
export class ClassApp implements Iterable<string> {
  readonly #environ: Environ;
  readonly #startResponse: StartResponse;

  constructor(environ: Environ, startResponse: StartResponse) {
    this.#environ = environ;
    this.#startResponse = startResponse;
  }

  *[Symbol.iterator](): Generator<string> {
    this.#startResponse("200 OK", PLAIN);
    yield "I am a class, ";
    yield `made for ${this.#environ.PATH_INFO}\n`;
  }
}

/** An object: it keeps state between requests. Workers share no memory, so with `tsgi -w 2` each counts for itself. */
export class CountingApp {
  #count = 0;

  wsgiApp(_environ: Environ, startResponse: StartResponse): string {
    startResponse("200 OK", PLAIN);
    return `I am an object, called ${++this.#count} times\n`;
  }
}

const counting = new CountingApp();

export function app(environ: Environ, startResponse: StartResponse): Body {
  switch (environ.PATH_INFO) {
    case "/class":
      return new ClassApp(environ, startResponse);
    case "/object":
      return counting.wsgiApp(environ, startResponse);
    default:
      return functionApp(environ, startResponse);
  }
}

if (isMain(import.meta)) await serve(app);
