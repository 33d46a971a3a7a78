/**
 * What a server makes of what a host says of its listener.
 */

import { expect, it } from "vitest";
import { listenError, OptionError } from "../../core/errors.ts";
import type { Host, SocketKind } from "../../core/seams.ts";
import { startServer } from "../../core/server/server.ts";

/** A host that listens nowhere, at a socket of this kind. */
function hostOf(kind: SocketKind | undefined, closed: () => void): Host {
  return {
    runtime: "test",
    listen: () =>
      Promise.resolve({
        address: { transport: "tcp", hostname: "", port: 0 },
        kind,
        close: () => Promise.resolve(closed()),
      }),
    latin1: () => "",
    turn: (callback) => void setImmediate(callback),
    stderr: () => {},
    onSignal: () => () => {},
    env: () => undefined,
  };
}

const EXPECTED =
  'Option allowIps: expected "*" for file descriptor 3, of which the system does not tell whether it is ' +
  "TCP or Unix, got an array";

it.each(
  [
    [undefined, { allowIps: ["10.0.0.0/8"] }, EXPECTED],
    [undefined, { protocol: "fastcgi" }, EXPECTED], // by default only this machine may connect
    [undefined, { protocol: "fastcgi", allowIps: "*" }, "served"],
    [undefined, {}, "served"],
    [undefined, { proxyProtocol: true }, EXPECTED.replace("allowIps", "proxyAllowIps")],
    [undefined, { proxyProtocol: true, proxyAllowIps: "*" }, "served"],
    [undefined, { forwardedAllowIps: ["unix"] }, EXPECTED.replace("allowIps", "forwardedAllowIps")], // 18.3
    [undefined, { forwardedAllowIps: "*" }, "served"],
    ["tcp", { allowIps: ["10.0.0.0/8"] }, "served"],
    ["unix", { allowIps: ["10.0.0.0/8"] }, "served"],
  ] as const,
)("14.1 a descriptor of kind %s with %j", async (kind, options, expected) => {
  let closed = 0;
  const host = hostOf(kind, () => closed++);
  const quiet = { fd: 3, handleSignals: false, onListen: () => {}, ...options };
  const outcome = await startServer(host, () => [], quiet).then(
    async (server) => {
      await server.shutdown({ timeout: 0 });
      return "served";
    },
    (error) => error,
  );
  if (expected !== "served") expect(outcome).toBeInstanceOf(OptionError);
  expect(outcome.message ?? outcome).toBe(expected);
  expect(closed).toBe(1);
});

it.each([
  ["EACCES", "permission denied"],
  ["EROFS", "the file system is read-only"],
  ["ENOSPC", "the file system is full"],
  ["EDQUOT", "the quota of the file system is used up"],
  ["ENOENT", "its directory does not exist"],
  ["ENOTDIR", "a part of its path is not a directory"],
])("14.28 a Unix socket that cannot be made, %s", (code, reason) => {
  expect(listenError({ transport: "unix", path: "/there/a.sock" }, code, new Error("other words")).message).toBe(
    `Cannot listen on unix:/there/a.sock: ${reason}`,
  );
});
