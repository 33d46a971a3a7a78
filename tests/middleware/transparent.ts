/**
 * The middleware that changes nothing of an application that does not need it. The behaviour suite runs through all of
 * them at once.
 *
 * @module
 */

import {
  compress,
  conditionalGet,
  cors,
  type Middleware,
  mount,
  router,
  secureHeaders,
  sessions,
  staticFiles,
} from "../../middleware/mod.ts";

/** All of them, the outermost first. */
export const transparent: readonly Middleware[] = [
  secureHeaders(),
  conditionalGet(),
  compress(),
  cors({ origin: "https://elsewhere.example" }),
  sessions({ keys: ["a secret of the tests, which is long enough"] }),
  (app) => mount({ "/": app }),
  (app) => router().mount("/", app),
  (app) => router({ notFound: app }),
  // A folder in which no path of the suite is a file.
  (next) => staticFiles(new URL("programs", import.meta.url), { next, index: false }),
];
