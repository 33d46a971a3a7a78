/**
 * `req.url` and `req.baseUrl`, of what a server or a front end says of the path.
 */

import { expect, it } from "vitest";
import { targetOf } from "../../../bridges/node/target.ts";
import type { Environ } from "../../../mod.ts";

const cases: readonly (readonly [
  what: string,
  uri: string,
  mount: string,
  path: string,
  query: string,
  url: string,
  baseUrl: string,
])[] = [
  ["a plain path", "/a", "", "/a", "", "/a", ""],
  ["a path and a query", "/a?b=/c", "", "/a", "b=/c", "/a?b=/c", ""],
  ["escapes stay as they were sent", "/a%2Fb%7e?x=%20", "", "/a/b~", "x=%20", "/a%2Fb%7e?x=%20", ""],
  ["a malformed escape", "/%zz", "", "/%zz", "", "/%zz", ""],
  ["a question mark that is escaped", "/a%3Fb", "", "/a?b", "", "/a%3Fb", ""],
  ["dots and slashes", "//a/../b//", "", "//a/../b//", "", "//a/../b//", ""],
  ["OPTIONS *", "*", "", "/", "", "*", ""],
  ["absolute-form", "http://h/a?b", "", "/a", "b", "http://h/a?b", ""],
  ["a mount", "/m/a?b", "/m", "/a", "b", "/a?b", "/m"],
  ["the mount itself", "/m", "/m", "", "", "/", "/m"],
  ["the mount itself, with a query", "/m?b", "/m", "", "b", "/?b", "/m"],
  ["a mount with escapes", "/m%20n/a%2Fb", "/m n", "/a/b", "", "/a%2Fb", "/m%20n"],
  ["a mount of several segments", "/m/n/a", "/m/n", "/a", "", "/a", "/m/n"],
  ["a path that was rewritten", "/old", "", "/new path", "q", "/new%20path?q", ""],
  ["a path that was rewritten below a mount", "/old", "/m", "/new", "", "/new", "/m"],
  ["no REQUEST_URI", "", "", "/a%", "", "/a%25", ""],
  ["octets above 127", "/%C3%BC", "", "/\u00c3\u00bc", "", "/%C3%BC", ""],
  ["octets above 127 that were rewritten", "/old", "", "/\u00c3\u00bc", "", "/%C3%BC", ""],
];

it.each(cases)("16.2 %s", (_what, uri, mount, path, query, url, baseUrl) => {
  const environ = { REQUEST_URI: uri, SCRIPT_NAME: mount, PATH_INFO: path, QUERY_STRING: query } as Environ;
  expect(targetOf(environ)).toEqual({ url, baseUrl });
});
