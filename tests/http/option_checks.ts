/** Options with wrong names, and values in the place of options. @module */

import type { StartResponse } from "../../mod.ts";
import {
  type AnswerOptions,
  type EventSourceLike,
  eventStream,
  formParts,
  html,
  HttpError,
  json,
  parseForm,
  parseJson,
  redirect,
  setCookie,
  text,
} from "../../http/mod.ts";
import { createEnviron } from "../../testing/mod.ts";
import { type Check, equal, ok, thrownBy } from "../wsgiref/check.ts";

const start: StartResponse = () => () => undefined;
const environ = (): ReturnType<typeof createEnviron> => createEnviron({ method: "POST", json: {} });
const wrong = (options: unknown): never => options as never; // what the compiler would refuse
const object = { a: "b" };

/** A call, and the message of its TypeError. */
const calls: readonly (readonly [call: () => unknown, message: string])[] = [
  [() => json(start, 1, wrong({ statuss: 201 })), 'json: there is no option "statuss"; did you mean "status"?'],
  [() => html(start, "", wrong({ header: [] })), 'html: there is no option "header"; did you mean "headers"?'],
  [() => text(start, "", wrong({ code: 1 })), 'text: there is no option "code"; the options are status, headers'],
  [() => text(start, "", wrong(404)), "text: expected an object of options, got number 404"],
  [() => text(start, "", wrong(null)), "text: expected an object of options, got null"],
  [() => text(start, "", wrong([["X-A", "b"]])), "text: expected an object of options, got an array"],
  [() => text(start, "", wrong(new Map())), "text: expected an object of options, got an object (Map)"],
  [
    () => redirect(start, "/", wrong({ Status: 301 })),
    'redirect: there is no option "Status"; did you mean "status"?',
  ],
  [
    () => setCookie("a", "b", wrong({ httponly: false })),
    'setCookie: there is no option "httponly"; did you mean "httpOnly"?',
  ],
  [
    () => new HttpError(404, "no", wrong({ header: [] })),
    'HttpError: there is no option "header"; did you mean "headers"?',
  ],
  [
    () => eventStream(start, [], wrong({ keepalive: 1 })),
    'eventStream: there is no option "keepalive"; did you mean "keepAlive"?',
  ],
  [() => parseJson(environ(), wrong({ limits: 1 })), 'parseJson: there is no option "limits"; did you mean "limit"?'],
  [
    () => parseForm(environ(), wrong({ fileSizes: 1 })),
    'parseForm: there is no option "fileSizes"; did you mean "fileSize"?',
  ],
  [
    () => parseForm(environ(), { files: wrong("9") }),
    'parseForm: expected a number from 0 up as files, got string "9"',
  ],
  [
    () => formParts(environ(), wrong({ field: 1 })).next(),
    'formParts: there is no option "field"; did you mean "fields"?',
  ],
  ...(["json", "html", "text", "redirect"] as const).map((name) =>
    [
      () => ({ json, html, text, redirect })[name](start, "/", { headers: wrong(object) }),
      `${name}: expected a list of pairs as headers, such as [["X-Name", "value"]], got an object (Object)`,
    ] as const
  ),
  [
    () => eventStream(start, [], { headers: wrong(object) }),
    'eventStream: expected a list of pairs as headers, such as [["X-Name", "value"]], got an object (Object)',
  ],
  [
    () => new HttpError(401, "no", { headers: wrong(object) }),
    'HttpError: expected a list of pairs as headers, such as [["X-Name", "value"]], got an object (Object)',
  ],
  ...[object, undefined, 7, "events"].map((events) =>
    [
      () => eventStream(start, events as unknown as EventSourceLike),
      `eventStream: expected an iterable of events, got ${
        { object: "an object (Object)", undefined: "undefined", number: "number 7", string: 'string "events"' }[
          typeof events as "object"
        ]
      }`,
    ] as const
  ),
];

export const optionChecks: readonly Check[] = [
  ...calls.map(([call, message]): Check => ({
    name: `19.40 ${message}`,
    run: async () => {
      const error = await thrownBy(call);
      ok(error instanceof TypeError, `no TypeError: ${error}`);
      equal(error.message, message);
    },
  })),
  {
    name: "19.40 options without a prototype are options, and undefined is none",
    run: () => {
      const options: AnswerOptions = Object.assign(Object.create(null), { status: 201, headers: undefined });
      equal(text(start, "a", options), ["a"]);
      equal(text(start, "a", undefined), ["a"]);
    },
  },
];
