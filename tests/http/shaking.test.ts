/** A bundle has of tsgi/http and tsgi/middleware what is imported, and nothing else. */

import { rolldown } from "rolldown";
import { expect, it } from "vitest";
import { projectPath } from "../server_process.ts";

const OF_CORE = ["core/contract/", "core/errors.ts", "core/grammar.ts"];

/** What a program imports; the modules of which the bundle has code, those of core aside. */
const cases: readonly (readonly [string, readonly string[]])[] = [
  ['export { json } from "./http/mod.ts"', ["http/answer.ts", "http/error.ts", "http/options.ts"]],
  ['export { parseCookies } from "./http/mod.ts"', ["http/cookies.ts", "http/query.ts"]],
  ['export { eventStream } from "./http/mod.ts"', ["http/answer.ts", "http/event_stream.ts", "http/options.ts"]],
  [
    'export { router } from "./middleware/mod.ts"',
    [
      "http/answer.ts",
      "http/error.ts",
      "http/options.ts",
      "http/query.ts",
      "middleware/mount.ts",
      "middleware/pattern.ts",
      "middleware/router.ts",
    ],
  ],
  ['export { compose } from "./middleware/mod.ts"', ["middleware/compose.ts"]],
];

it.each(cases)("19.30 %s", async (code, expected) => {
  const entry = projectPath("entry.ts");
  const build = await rolldown({
    input: entry,
    platform: "neutral",
    plugins: [{
      name: "entry",
      resolveId: (id) => id === entry ? id : null,
      load: (id) => id === entry ? code : null,
    }],
  });
  const { output: [bundle] } = await build.generate({});
  await build.close();
  const used = Object.entries(bundle.modules).filter(([, { renderedLength }]) => renderedLength > 0)
    .map(([path]) => path.slice(projectPath("").length)).filter((path) => !OF_CORE.some((one) => path.startsWith(one)));
  expect(used.toSorted()).toEqual(expected);
});
