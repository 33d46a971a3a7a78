/**
 * The short form of `npm run soak`. Overload has a test of its own, tests/overload/overload.test.ts, and slowhttptest is a
 * program of the system.
 */

import { describe, expect, it } from "vitest";
import { runtimes } from "../cli/command.ts";
import { type PartName, parts, SHORT } from "./parts.ts";

const PARTS: readonly PartName[] = ["streams", "command", "tls"];

describe.each(runtimes)("%s", (runtime) => {
  it.each(PARTS)("18.4 soak, in its short form: %s", async (part) => {
    expect(await parts[part](runtime, SHORT, console.log)).toEqual([]);
  }, 120_000);
});
