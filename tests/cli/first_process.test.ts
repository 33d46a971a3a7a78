/**
 * The command as process 1 of a container, where orphans would be its to wait for.
 */

import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { startedAsFirst } from "../../cli/arbiter.ts";
import { runCommand, ServerProcess } from "../server_process.ts";
import { runtimes, SITE } from "./command.ts";

describe("16 what was started is process 1", () => {
  it.each([
    ["the launcher is", { pid: 7, ppid: 1, connected: true }, true],
    ["the arbiter is, with sockets of systemd", { pid: 1, ppid: 0, connected: false }, true],
    ["an init has started the launcher", { pid: 14, ppid: 7, connected: true }, false],
    ["an init has started the arbiter", { pid: 7, ppid: 1, connected: false }, false],
  ])("%s", (_name, processes, first) => expect(startedAsFirst(processes)).toBe(first));
});

/** Runs a command in a namespace of its own, which ends with it. */
const CONTAINER = ["--pid", "--fork", "--mount-proc", "--kill-child"];
const contained = spawnSync("unshare", [...CONTAINER, "true"]).status === 0; // root may, mostly

describe.each(contained ? runtimes : [])("%s in a container", (runtime) => {
  it.each([
    ["16 warns as process 1", [], true],
    ["16 does not warn under an init", ["sh", "-c", '"$@"; exit $?', "sh"], false],
  ])("%s", async (_name, init, warns) => {
    const { binary, args } = runCommand(runtime, "cli/main.ts", ["-A"]);
    const line = [...init, binary, ...args, "-b", "127.0.0.1:0", SITE];
    const server = await ServerProcess.spawn(
      `tsgi as process 1 on ${runtime}`,
      ["unshare", ...CONTAINER, ...line],
      /All workers are ready/,
    );
    try {
      expect(/\[WARNING\] This is process 1, .* Run it under an init/.test(server.stderr)).toBe(warns);
    } finally {
      await server.stop();
    }
  });
});
