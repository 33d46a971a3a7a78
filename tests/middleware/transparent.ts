/**
 * The middleware that changes nothing of an application that does not need it. The behaviour suite runs through all of
 * them at once.
 *
 * @module
 */

import { cors, mount, router, secureHeaders, sessions } from "../../middleware/mod.ts";
import type { ApplicationFunction } from "../../mod.ts";

/** Wraps an application. */
export type Middleware = (app: ApplicationFunction) => ApplicationFunction;

/** All of them, the outermost first. */
export const transparent: readonly Middleware[] = [
  secureHeaders(),
  cors({ origin: "https://a.test" }),
  sessions({ keys: ["k".repeat(32)] }) as Middleware,
  (app) => mount({ "/": app }),
  (app) => router().mount("/", app),
];
