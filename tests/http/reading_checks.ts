/** Queries, JSON, negotiation. @module */

import { HttpError, negotiate, parseForm, parseJson, query, statusLine } from "../../http/mod.ts";
import { createEnviron } from "../../testing/mod.ts";
import { type Check, equal, ok, thrownBy } from "../wsgiref/check.ts";

/** The code of the HttpError that an action throws. */
export async function refusal(action: () => unknown): Promise<number> {
  const error = await thrownBy(action);
  ok(error instanceof HttpError, `No HttpError: ${error}`);
  return error.code;
}

/** QUERY_STRING, and its pairs. */
const queries: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  ["", []],
  ["a=1&b=2", [["a", "1"], ["b", "2"]]],
  ["a=1&a=2", [["a", "1"], ["a", "2"]]],
  ["a+b=c+d", [["a b", "c d"]]],
  ["caf%C3%A9=%e2%82%ac", [["caf\u00e9", "\u20ac"]]],
  ["q=\u00c3\u00a9", [["q", "\u00e9"]]], // two octets that nobody escaped
  ["?a=1", [["?a", "1"]]],
  ["a&b=&=c", [["a", ""], ["b", ""], ["", "c"]]],
  ["a=%zz%4", [["a", "%zz%4"]]],
  ["a=%ff", [["a", "\ufffd"]]],
  ["__proto__=1", [["__proto__", "1"]]],
  ["a=1;b=2", [["a", "1;b=2"]]],
];

const OFFERS = ["application/json", "text/html", "text/plain;charset=utf-8"] as const;

/** Accept, and which of OFFERS is chosen. */
const accepts: readonly (readonly [string | undefined, string | undefined])[] = [
  [undefined, "application/json"],
  ["", "application/json"],
  ["text/html", "text/html"],
  ["TEXT/HTML", "text/html"],
  ["*/*", "application/json"],
  ["text/*", "text/html"],
  ["text/*, application/json;q=0.5", "text/html"],
  ["text/html;q=0.5, application/json;q=0.6", "application/json"],
  ["text/html;q=0, */*;q=0.1", "application/json"],
  ["*/*;q=0.9, application/json;q=0", "text/html"],
  ["image/png", undefined],
  ["*/*;q=0", undefined],
  ["text/plain;charset=utf-8, text/html;q=0.9", "text/plain;charset=utf-8"],
  ['text/plain;charset="UTF-8", text/html;q=0.9', "text/plain;charset=utf-8"],
  ["text/plain;charset=latin1, text/html;q=0.9", "text/html"],
  ["text/html;q=nonsense, application/json;q=0.1", "application/json"],
  ["nonsense", "application/json"], // as if there were none
  ['text/html;x="a,b", application/json;q=0.1', "application/json"],
  ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"],
  ["text/html;q=1.000", "text/html"],
  ["text/html;q=0.5;ext=1, application/json;q=0.4", "text/html"],
  [", ,text/html,,", "text/html"],
  ["*/*, text/html", "text/html"], // named, and so nearer than the first offer
  ["text/plain;charset=utf-8, text/*", "text/plain;charset=utf-8"],
  ["image/png, */*", "application/json"],
  ["text/html;q=0.5, */*;q=0.5", "text/html"],
  ["*/*, text/html;q=0.5", "application/json"],
  ["text/html;q=0, text/*;q=0", undefined],
  ["text/plain;charset=utf-8;q=.5, application/json;q=.6", "application/json"],
  ["image/gif, *; q=.2, */*; q=.2", "application/json"], // HttpURLConnection of Java
  ["application/json;q=0.33333, text/html;q=0.5", "text/html"],
  ["text/html;q=1.5, application/json;q=., text/*;q=0.1", "text/html"],
];

/** Content-Type, body, and the status of the refusal or the value. */
const bodies: readonly (readonly [string | undefined, string | Uint8Array, unknown])[] = [
  ["application/json", '{"a":[1,null]}', { a: [1, null] }],
  ["application/json; charset=utf-8", "1", 1],
  ["APPLICATION/JSON", '"\u00e9"', "\u00e9"],
  ["application/vnd.api+json", "true", true],
  ["text/plain", "1", 415],
  [undefined, "1", 415],
  ["application/jsonp", "1", 415],
  ["application/json; ;;", "1", 1],
  ["application/json; broken", "1", 415],
  ["application/json", "", 400],
  ["application/json", "{", 400],
  ["application/json", new Uint8Array([0x22, 0xff, 0x22]), 400],
  ["application/json", `"${"a".repeat(99)}"`, 413],
];

export const readingChecks: readonly Check[] = [
  ...queries.map(([text, expected]): Check => ({
    name: `19.1 query: ${JSON.stringify(text)}`,
    run: () => equal([...query({ QUERY_STRING: text })], expected),
  })),
  ...accepts.map(([accept, expected]): Check => ({
    name: `19.2 negotiate: ${JSON.stringify(accept)}`,
    run: () => equal(negotiate({ HTTP_ACCEPT: accept }, OFFERS), expected),
  })),
  {
    name: "19.2 negotiate refuses an offer that is no media type",
    run: async () => ok(await thrownBy(() => negotiate({ HTTP_ACCEPT: "*/*" }, ["html"])) instanceof TypeError, ""),
  },
  ...bodies.map(([type, body, expected], i): Check => ({
    name: `19.3 parseJson ${i}: ${type}, ${expected}`,
    run: async () => {
      const headers = type === undefined ? {} : { "Content-Type": type };
      const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
      const read = () => parseJson(createEnviron({ method: "POST", headers, body: bytes }), { limit: 100 });
      equal(typeof expected === "number" && expected > 1 ? await refusal(read) : await read(), expected);
    },
  })),
  {
    name: "19.3 parseJson counts what comes where no length is declared",
    run: async () => {
      async function* body() {
        for (let i = 0; i < 1000; i++) yield new Uint8Array(10).fill(0x20);
      }
      const environ = createEnviron({ method: "POST", headers: { "Content-Type": "application/json" }, body: body() });
      equal(await refusal(() => parseJson(environ, { limit: 100 })), 413);
    },
  },
  {
    name: "19.3 parseJson refuses a limit that is no number",
    run: async () => {
      const environ = createEnviron({ method: "POST", headers: { "Content-Type": "application/json" }, body: "1" });
      ok(await thrownBy(() => parseJson(environ, { limit: "1mb" as never })) instanceof TypeError, "");
    },
  },
  {
    name: "19.3 a forgotten await lets no client end the program",
    run: async () => {
      const environ = createEnviron({ method: "POST", headers: { "Content-Type": "text/plain" }, body: "1" });
      void parseJson(environ);
      void parseForm(environ);
      await new Promise((resolve) => setTimeout(resolve)); // an unhandled rejection would end the program of the checks
    },
  },
  {
    name: "19.4 HttpError: status, code, message, and which codes it can have",
    run: async () => {
      const error = new HttpError(404);
      equal([error.status, error.code, error.message, error.name], ["404 Not Found", 404, "Not Found", "HttpError"]);
      equal(new HttpError(599).status, "599 ");
      for (const code of [200, 600, 4.5, NaN]) ok(await thrownBy(() => new HttpError(code)) instanceof RangeError, "");
      equal(statusLine("200 Fine"), "200 Fine");
    },
  },
];
