/** Cookies both ways. @module */

import fc from "fast-check";
import { type CookieOptions, parseCookies, setCookie } from "../../http/mod.ts";
import { type Check, equal, ok, thrownBy } from "../wsgiref/check.ts";

/** The Cookie field, and its cookies. */
const fields: readonly (readonly [string | undefined, Readonly<Record<string, string>>])[] = [
  [undefined, {}],
  ["", {}],
  ["a=1; b=2", { a: "1", b: "2" }],
  ["a=1;b=2", { a: "1", b: "2" }],
  ["a=1; a=2", { a: "1" }],
  ['a="x y"', { a: "x y" }],
  ['a="', { a: '"' }],
  ["a=b=c", { a: "b=c" }],
  ["a=%20%C3%A9", { a: " \u00e9" }],
  ["a=\xc3\xa9%20\xe2\x98\x83", { a: "\u00e9 \u2603" }], // as a script of the page may set it
  ["a=\xe9", { a: "\u00e9" }], // not UTF-8
  ["a=%zz", { a: "%zz" }],
  ["a=%ff", { a: "%ff" }],
  ["flag; a=1", { a: "1" }],
  ["=1; a=", { a: "" }],
  [" \ta = 1\t;", { a: "1" }],
  ["a b=1; c=2", { c: "2" }],
  ["__proto__=1; constructor=2", { ["__proto__"]: "1", constructor: "2" }],
];

/** Arguments of setCookie, and the value of the field; undefined for a cookie that is refused. */
const made: readonly (readonly [string, string, CookieOptions, string | undefined])[] = [
  ["a", "1", {}, "a=1; Path=/; HttpOnly; SameSite=Lax"],
  ["a", 'x y";,\\%\u00e9', {}, "a=x%20y%22%3B%2C%5C%25%C3%A9; Path=/; HttpOnly; SameSite=Lax"],
  ["a", "\ud800", {}, "a=%EF%BF%BD; Path=/; HttpOnly; SameSite=Lax"],
  ["a", "!'()*~", {}, "a=!'()*~; Path=/; HttpOnly; SameSite=Lax"],
  ["a", "", { maxAge: 0 }, "a=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax"],
  ["a", "1", { httpOnly: false, sameSite: "Strict", path: "/x" }, "a=1; Path=/x; SameSite=Strict"],
  ["a", "1", { sameSite: "None", secure: true }, "a=1; Path=/; Secure; HttpOnly; SameSite=None"],
  ["a", "1", { secure: true, partitioned: true }, "a=1; Path=/; Secure; HttpOnly; SameSite=Lax; Partitioned"],
  ["a", "1", { domain: "example.org" }, "a=1; Domain=example.org; Path=/; HttpOnly; SameSite=Lax"],
  ["a", "1", { expires: new Date(0) }, "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; HttpOnly; SameSite=Lax"],
  ["__Host-a", "1", {}, "__Host-a=1; Path=/; Secure; HttpOnly; SameSite=Lax"],
  ["__secure-a", "1", { path: "/x" }, "__secure-a=1; Path=/x; Secure; HttpOnly; SameSite=Lax"],
  ["__Http-a", "1", { path: "/x" }, "__Http-a=1; Path=/x; Secure; HttpOnly; SameSite=Lax"],
  ["__Host-Http-a", "1", {}, "__Host-Http-a=1; Path=/; Secure; HttpOnly; SameSite=Lax"],
  ["__Http-a", "1", { secure: false }, undefined],
  ["__http-a", "1", { httpOnly: false }, undefined],
  ["__Host-Http-a", "1", { httpOnly: false }, undefined],
  ["__Host-Http-a", "1", { path: "/x" }, undefined],
  ["__Host-a", "1", { secure: false }, undefined],
  ["__Secure-a", "1", { secure: false }, undefined],
  ["__Host-a", "1", { path: "/x" }, undefined],
  ["__HOST-a", "1", { domain: "example.org" }, undefined],
  ["a", "1", { sameSite: "None" }, undefined],
  ["a", "1", { sameSite: "lax" as "Lax" }, undefined],
  ["a", "1", { partitioned: true }, undefined],
  ["a b", "1", {}, undefined],
  ["", "1", {}, undefined],
  ["a=", "1", {}, undefined],
  ["a", "x".repeat(4096), {}, undefined],
  ["a", "1", { maxAge: 1.5 }, undefined],
  ["a", "1", { maxAge: NaN }, undefined],
  ["a", "1", { expires: new Date(NaN) }, undefined],
  ["a", "1", { expires: new Date(8.64e15) }, undefined],
  ["a", "1", { expires: new Date("1600-12-31") }, undefined],
  ["a", "1", { expires: 0 as unknown as Date }, undefined],
  ["a", "1", { path: "/;Secure" }, undefined],
  ["a", "1", { path: "/\r\nX: y" }, undefined],
  ["a", "1", { path: "x" }, undefined],
  ["a", "1", { path: `/${"x".repeat(1024)}` }, undefined],
  ["a", "1", { domain: "a b" }, undefined],
  ["a", "1", { domain: "a;b" }, undefined],
  ["a", 1 as unknown as string, {}, undefined],
];

export const cookieChecks: readonly Check[] = [
  ...fields.map(([field, expected]): Check => ({
    name: `19.5 parseCookies: ${JSON.stringify(field)}`,
    run: () => equal(Object.entries(parseCookies({ HTTP_COOKIE: field })), Object.entries(expected)),
  })),
  ...made.map(([name, value, options, expected], i): Check => ({
    name: `19.6 setCookie ${i}: ${name.slice(0, 20)} ${JSON.stringify(options).slice(0, 60)} ${
      expected === undefined ? "is refused" : ""
    }`,
    run: async () => {
      if (expected !== undefined) return equal(setCookie(name, value, options), ["Set-Cookie", expected]);
      ok(await thrownBy(() => setCookie(name, value, options)) instanceof TypeError, "no TypeError");
    },
  })),
  {
    name: "19.6 any text comes back from a cookie",
    run: () =>
      fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
        const field = setCookie("a", text)[1].split(";")[0] as string;
        return /^a=[\x21-\x7e]*$/.test(field) &&
          parseCookies({ HTTP_COOKIE: field })["a"] === text.replace(/\p{Cs}/gu, "\ufffd");
      })),
  },
];
