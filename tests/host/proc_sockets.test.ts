/**
 * What the system tells of the listening sockets of this process: their kinds and addresses.
 */

import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type ListenOptions, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { located } from "../../adapters/proc_sockets.ts";
import { addressOf } from "../../cli/programs/program.ts";

const folder = mkdtempSync(join(tmpdir(), "tsgi proc "));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs with a server, and its descriptor. */
async function withServer(where: ListenOptions, run: (fd: number, server: Server) => void): Promise<void> {
  const server = createServer().listen(where);
  await once(server, "listening");
  try {
    run((server as unknown as { _handle: { fd: number } })._handle.fd, server);
  } finally {
    server.close();
  }
}

it.each(["127.0.0.1", "0.0.0.0", "::1", "::"])("2i the address of a TCP socket at %s", async (host) => {
  await withServer({ host, port: 0 }, (fd, server) => {
    const { address, family, port } = server.address() as AddressInfo;
    expect(located({ transport: "fd", fd }).address).toEqual({ transport: "tcp", hostname: host, port });
    expect(addressOf({ kind: "fd", fd })).toEqual({ address, family, port }); // what a program sees
  });
});

it("2i the path of a Unix socket, unless it was renamed", async () => {
  const path = join(folder, "a socket");
  await withServer({ path }, (fd) => {
    expect(located({ transport: "fd", fd }).address).toEqual({ transport: "unix", path });
    expect(addressOf({ kind: "fd", fd })).toBe(path);
    renameSync(path, `${path}2`);
    expect(located({ transport: "fd", fd }).address).toEqual({ transport: "unix", path: "" });
  });
});

it("2i a descriptor of something else has no address", () => {
  expect(located({ transport: "fd", fd: 0 }).address).toBeUndefined();
  expect(addressOf({ kind: "fd", fd: 0 })).toEqual({ address: "127.0.0.1", family: "IPv4", port: 0 });
});
