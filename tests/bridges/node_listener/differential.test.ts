/**
 * The same listeners over node:http on Node and over tsgi on each runtime: what the client gets and what the listener sees.
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hosts } from "../../../scripts/pack/hosts.ts";
import { runCommand, type Runtime, ServerProcess } from "../../server_process.ts";
import type { Case } from "./case.ts";
import { cases } from "./cases/mod.ts";
import { ask, type Outcome } from "./client.ts";

const PROGRAM = "tests/bridges/node_listener/main.ts";

/** What the validator, or a validated environ, keeps from being the same. */
const LEFT_OUT_CHECKED = new Set([
  "a status above 599", // refused: applications of this contract have no such status
  "a method of WebDAV", // its input does not say that it has ended, so that the request seems to have a body
]);

/** Starts the program on a runtime, or on another release of Node. */
function start(host: string, over: "http" | "tsgi" | "checked"): Promise<ServerProcess> {
  const other = hosts.find(({ name }) => name === host && name.startsWith("node "));
  const command = runCommand(other === undefined ? host as Runtime : "node", PROGRAM, ["--allow-all"]);
  const binary = other?.binary ?? command.binary;
  return ServerProcess.spawn(`${over} on ${host}`, [binary, ...command.args, over], /^port (\d+)$/m);
}

/** What of an outcome is the same everywhere. */
function compared(one: Case, outcome: Outcome): Partial<Outcome> {
  const record = one.unordered === undefined ? outcome.record : [];
  if (one.cut === true) return { complete: outcome.complete };
  if (one.leaves === true) return { record }; // of the response it gets what has arrived before it leaves
  return { ...outcome, record };
}

let reference: ServerProcess;
beforeAll(async () => void (reference = await start("node", "http")));
afterAll(() => reference.stop());

describe.each<readonly [name: string, host: string, "tsgi" | "checked"]>([
  ["node", "node", "tsgi"],
  ["deno", "deno", "tsgi"],
  ["bun", "bun", "tsgi"],
  ["node 22", "node 22", "tsgi"],
  ["node 24", "node 24", "tsgi"],
  ["node, under the validator", "node", "checked"],
])("%s", (_name, host, over) => {
  let subject: ServerProcess;
  beforeAll(async () => void (subject = await start(host, over)));
  afterAll(() => subject.stop());

  it.each(over === "checked" ? cases.filter(({ name }) => !LEFT_OUT_CHECKED.has(name)) : cases)(
    "16.2 $name",
    async (one) => {
      const [expected, actual] = await Promise.all(
        [reference, subject].map(async (server) => compared(one, await ask(Number(server.ready[1]), one))),
      );
      expect(actual).toEqual(expected);
    },
  );
});
