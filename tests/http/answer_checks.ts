/** Answers. @module */

import type { Application, StartResponse } from "../../mod.ts";
import { html, json, redirect, text } from "../../http/mod.ts";
import { client } from "../../testing/mod.ts";
import { validator } from "../../wsgiref/validate.ts";
import { type Check, equal, ok, thrownBy } from "../wsgiref/check.ts";

const LINE = "text/plain; charset=utf-8";

/** An answer; its status, Content-Type, another field and body. */
const answers: readonly (readonly [string, (start: StartResponse) => string[], readonly unknown[]])[] = [
  ["json", (start) => json(start, { a: 1 }), [200, "application/json", null, '{"a":1}']],
  ["json null", (start) => json(start, null), [200, "application/json", null, "null"]],
  ["json 201", (start) => json(start, [], { status: 201, headers: [["X-A", "b"]] }), [
    201,
    "application/json",
    "b",
    "[]",
  ]],
  [
    "json of another type",
    (start) => json(start, {}, { status: "404 Nope", headers: [["content-type", "application/problem+json"]] }),
    [404, "application/problem+json", null, "{}"],
  ],
  ["html", (start) => html(start, "<p>\u00e9"), [200, "text/html; charset=utf-8", null, "<p>\u00e9"]],
  ["text", (start) => text(start, "a"), [200, LINE, null, "a"]],
  ["redirect", (start) => redirect(start, "/a b"), [303, LINE, null, "See /a%20b\n"]],
  ["redirect of another type", (start) => redirect(start, "/", { headers: [["CONTENT-TYPE", "text/html"]] }), [
    303,
    "text/html",
    null,
    "See /\n",
  ]],
  [
    "redirect 308",
    (start) => redirect(start, "https://\u00e9.test/?a=%41#b", { status: 308, headers: [["X-A", "b"]] }),
    [308, LINE, "b", "See https://%C3%A9.test/?a=%41#b\n"],
  ],
];

const start: StartResponse = () => () => undefined;

const wrong: readonly (readonly [string, () => unknown])[] = [
  ["json of undefined", () => json(start, undefined)],
  ["json of a function", () => json(start, () => {})],
  ["json of a circle", () => {
    const circle: unknown[] = [];
    circle.push(circle);
    return json(start, circle);
  }],
  ["json of an environ", () => json({} as StartResponse, {})],
  ["html without startResponse", () => html("" as unknown as StartResponse, "")],
  ["a redirect with CRLF", () => redirect(start, "/\r\nX: y")],
  ["a redirect nowhere", () => redirect(start, "")],
  ["a redirect that is none", () => redirect(start, "/", { status: 200 as 303 })],
  ["a redirect with 304", () => redirect(start, "/", { status: 304 as 303 })],
];

export const answerChecks: readonly Check[] = [
  ...answers.map(([name, answer, expected]): Check => ({
    name: `19.12 ${name}`,
    run: async () => {
      const app: Application = (_environ, startResponse) => answer(startResponse);
      const response = await client(validator(app), { raise: true }).get("/");
      const { status, headers } = response;
      equal([status, headers.get("Content-Type"), headers.get("X-A"), await response.text()], expected);
      equal(await (await client(validator(app), { raise: true }).head("/")).text(), "");
    },
  })),
  ...wrong.map(([name, action]): Check => ({
    name: `19.12 ${name} is refused`,
    run: async () => ok(await thrownBy(action) instanceof TypeError, "no TypeError"),
  })),
  {
    name: "19.12 json in the place of parseJson says so",
    run: async () => {
      const error = await thrownBy(() => json({} as StartResponse, {}));
      ok(String(error).includes("parseJson(environ)"), String(error));
    },
  },
];
