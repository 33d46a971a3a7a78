/**
 * The shapes of application, as data: the file of each, and the ways in which it cannot be served.
 *
 * @module
 */

import type { Way } from "./ways.ts";

/** A shape of application. */
export interface Shape {
  readonly name: string;
  /** Its file in `tests/matrix/shapes/`. */
  readonly file: string;
  /** Ways in which it cannot be served, and why not. */
  readonly not?: Partial<Readonly<Record<Way, string>>>;
}

/** All of them. */
export const shapes: readonly Shape[] = [
  { name: "WSGI function", file: "wsgi.ts" },
  { name: "WSGI class", file: "wsgi_class.ts" },
  { name: "WSGI object", file: "wsgi_object.ts" },
  { name: "Hono", file: "hono.ts" },
  { name: "h3", file: "h3.ts" },
  { name: "Elysia", file: "elysia.ts" },
  { name: "itty-router", file: "itty.ts" },
  { name: "Express", file: "express.mjs" },
  { name: "Koa", file: "koa.mjs" },
  { name: "Fastify", file: "fastify.mjs" },
  {
    name: "listen() program",
    file: "program.mjs",
    not: { serve: "serve takes applications: outside the command nothing is replaced" },
  },
];
