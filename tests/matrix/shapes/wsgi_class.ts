/** The routes as a class: an instance is the body of a response. */

import type { Body, Chunk, Environ, StartResponse } from "../../../mod.ts";
import { app } from "./wsgi.ts";

export default class {
  readonly #body: Promise<Body>;

  constructor(environ: Environ, startResponse: StartResponse) {
    this.#body = app(environ, startResponse);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Chunk> {
    const body = await this.#body;
    if (typeof body === "string" || body instanceof Uint8Array) yield body;
    else yield* body as AsyncIterable<Chunk>;
  }
}
