/** Options with wrong names, and applications in the place of options. @module */

import type { ApplicationFunction } from "../../mod.ts";
import {
  compose,
  compress,
  conditionalGet,
  cors,
  errorPage,
  router,
  secureHeaders,
  sendFile,
  sessions,
  staticFiles,
} from "../../middleware/mod.ts";
import { createEnviron } from "../../testing/mod.ts";
import { type Check, equal, ok, thrownBy } from "../wsgiref/check.ts";

const wrong = (options: unknown): never => options as never; // what the compiler would refuse
const app: ApplicationFunction = () => [];
const start = () => () => undefined;
const KEYS = "write keys: [secret]; openssl rand -hex 32 makes a secret";

/** A call, and the message of its TypeError. */
const calls: readonly (readonly [call: () => unknown, message: string])[] = [
  [() => cors(wrong({ origins: [] })), 'cors: there is no option "origins"; did you mean "origin"?'],
  [
    () => sessions(wrong({ keys: ["k".repeat(32)], maxage: 1 })),
    'sessions: there is no option "maxage"; did you mean "maxAge"?',
  ],
  [
    () => sessions(wrong({ keys: ["k".repeat(32)], httpOnly: false })),
    'sessions: there is no option "httpOnly"; the options are keys, name, maxAge, domain, path, sameSite, secure',
  ],
  [
    () => sessions(...[] as unknown as [never]),
    "sessions: expected options with keys: [secret]; openssl rand -hex 32 makes a secret",
  ],
  [
    () => sessions({ keys: wrong("a secret that no message shows") }),
    `sessions: expected an array of secrets as keys, got a string; ${KEYS}`,
  ],
  [() => sessions(wrong({})), `sessions: expected an array of secrets as keys, got undefined; ${KEYS}`],
  [() => sessions({ keys: [] }), `sessions: expected at least one secret in keys; ${KEYS}`],
  [
    () => staticFiles("/site", wrong({ lisitng: true })),
    'staticFiles: there is no option "lisitng"; did you mean "listing"?',
  ],
  [
    () => staticFiles(wrong(undefined)),
    "staticFiles: expected the path or the file: URL of a folder, got undefined",
  ],
  [
    () => sendFile(createEnviron(), start, "/a", wrong({ downlaod: true })),
    'sendFile: there is no option "downlaod"; did you mean "download"?',
  ],
  [
    () => sendFile(createEnviron(), start, wrong(undefined)),
    "sendFile: expected the path or the file: URL of a file, got undefined",
  ],
  [
    () => sendFile(createEnviron(), start, "/a", { headers: wrong({ a: "b" }) }),
    'sendFile: expected a list of pairs as headers, such as [["X-Name", "value"]], got an object (Object)',
  ],
  [() => compress(wrong({ minimun: 1 })), 'compress: there is no option "minimun"; did you mean "minimum"?'],
  [() => errorPage(wrong({ pages: () => "" })), 'errorPage: there is no option "pages"; did you mean "page"?'],
  [() => conditionalGet(wrong({ etag: true })), 'conditionalGet: there is no option "etag"; it takes none'],
  [() => router(wrong({ notfound: app })), 'router: there is no option "notfound"; did you mean "notFound"?'],
  [() => router(wrong(app)), "router: expected an object of options, got a function"],
  [
    () => secureHeaders({ "X-Frame-Option": "DENY" }),
    'secureHeaders: expected the name of a header field, got string "X-Frame-Option"; did you mean "X-Frame-Options"?',
  ],
  [
    () => secureHeaders({ contentSecurityPolicy: false }),
    'secureHeaders: expected the name of a header field, got string "contentSecurityPolicy"; ' +
    'did you mean "Content-Security-Policy"?',
  ],
  [
    () => secureHeaders({ "Permissions Policy": "a" }),
    'secureHeaders: expected the name of a header field, got string "Permissions Policy"',
  ],
  [
    () => secureHeaders({ "X-Frame-Options": wrong(true) }),
    "secureHeaders: expected a string or false as X-Frame-Options, got boolean true",
  ],
  ...Object.entries({ compress, conditionalGet, cors, errorPage, secureHeaders }).flatMap(([name, make]) => {
    const message = `${name}: expected an object of options, got a function; write ${name}()(app)`;
    return [[() => make(wrong(app)), message], [() => compose(wrong(make))(app), message]] as const;
  }),
  [
    () => sessions(wrong(app)),
    "sessions: expected an object of options, got a function; write sessions({ keys })(app)",
  ],
];

export const optionChecks: readonly Check[] = [
  ...calls.map(([call, message], i): Check => ({
    name: `19.40 ${i}: ${message}`,
    run: async () => {
      const error = await thrownBy(call);
      ok(error instanceof TypeError, `no TypeError: ${error}`);
      equal(error.message, message);
    },
  })),
  {
    name: "19.40 secureHeaders: other fields, and those with a default in any letter case",
    run: () => {
      ok(secureHeaders({ "Permissions-Policy": "camera=()", "x-frame-options": "DENY" }), "middleware");
    },
  },
];
