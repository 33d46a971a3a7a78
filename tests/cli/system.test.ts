/**
 * What the system around the command gives and wants: systemd's sockets and its notification, pidfile, user and group,
 * umask, directory, environment, Unix sockets, several addresses.
 */

import { once } from "node:events";
import { existsSync, lstatSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { describe, expect, it } from "vitest";
import { alive, denoCommand } from "../../cli/child.ts";
import { descriptorsFromLsof } from "../../cli/listen.ts";
import { scgiRequest } from "../scgi/request.ts";
import { Command, ended, runtimes, SITE, until, withCommand } from "./command.ts";

/** Asks over a Unix socket or a port. */
function ask(where: { path: string } | { host: string; port: number }, target: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const socket = connect(where);
    socket.setEncoding("latin1").on("data", (part) => text += part).on("error", reject);
    socket.on("close", () => resolve(text.split("\r\n\r\n")[1] ?? ""));
    socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  });
}

/** Runs with a listening socket of this process that nobody else holds afterwards. */
async function withSocket(use: (fd: number, port: number) => Promise<Command>): Promise<[Command, number]> {
  const holder = createServer();
  holder.listen(0, "127.0.0.1");
  await once(holder, "listening");
  const { fd } = (holder as unknown as { _handle: { fd: number } })._handle;
  const { port } = holder.address() as AddressInfo;
  const started = use(fd, port);
  holder.close(); // in the same turn: nothing is accepted here
  return [await started, port];
}

const ACTIVATE = 'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "$@"';

describe.each(runtimes)("%s", (runtime) => {
  it("serves the sockets of systemd without a launcher, and reloads with them", async () => {
    const [command, port] = await withSocket((fd) =>
      Command.serving(runtime, { args: ["-w", "2", SITE], sockets: [fd], shell: ACTIVATE })
    );
    try {
      expect(command.arbiter).toBe(command.pid);
      const before = command.workers;
      expect(before).toHaveLength(2);
      expect(JSON.parse(await ask({ host: "127.0.0.1", port }, "/about"))).toMatchObject({
        SERVER_PORT: String(port),
        internal: [],
        multiprocess: true,
      });
      command.kill("SIGHUP");
      await command.logged(/All workers are ready/, 2);
      await until("new workers", () => !before.some((pid) => command.workers.includes(pid)));
      expect(await ask({ host: "127.0.0.1", port }, "/?x")).toBe("ok x");
      command.kill("SIGTERM");
      expect(await command.exit()).toEqual({ code: 0, signal: null });
    } finally {
      await command.stop();
    }
  });

  it("fd://3 serves a descriptor that it was given", async () => {
    const [command, port] = await withSocket((fd) =>
      Command.serving(runtime, { args: ["-b", "fd://3", SITE], sockets: [fd] })
    );
    try {
      expect(await ask({ host: "127.0.0.1", port }, "/?x")).toBe("ok x");
    } finally {
      await command.stop();
    }
  });

  it("tells systemd when it is ready, reloads and stops", async () => {
    const files = { "bin/systemd-notify": '#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> told\n' };
    const shell = 'chmod +x bin/systemd-notify; PATH="$PWD/bin:$PATH" NOTIFY_SOCKET=/run/there exec "$@"';
    await withCommand(runtime, { args: [SITE], files, shell }, async (command) => {
      const told = (): string => existsSync(command.path("told")) ? readFileSync(command.path("told"), "utf8") : "";
      await until("READY", () => told() === "/run/there --ready --status=1 workers\n");
      command.kill("SIGHUP");
      await until("READY again", () => /RELOADING=1[^]*--ready --status=1 workers\n$/.test(told()));
      command.kill("SIGTERM");
      await command.exit();
      expect(told()).toMatch(/STOPPING=1\n$/);
    });
  });

  it("Unix sockets and ports at once; what the application is told of them", async () => {
    const args = ["-b", "unix:./a.sock", "-b", "127.0.0.1:0", "-m", "077", "--script-name", "/there", SITE];
    await withCommand(runtime, { args: ["-w", "2", ...args] }, async (command) => {
      const path = command.path("a.sock");
      expect(lstatSync(path).isSocket()).toBe(true);
      expect((lstatSync(path).mode & 0o777).toString(8)).toBe("700");
      expect(JSON.parse(await ask({ path }, "/there/about"))).toMatchObject({
        SERVER_NAME: "localhost",
        SERVER_PORT: "80",
        SCRIPT_NAME: "/there",
        PATH_INFO: "/about",
        umask: "77",
      });
      const { port } = command;
      expect(JSON.parse(await ask({ host: "127.0.0.1", port }, "/about"))).toMatchObject({
        SERVER_NAME: "127.0.0.1",
        SERVER_PORT: String(port),
      });
      command.kill("SIGHUP");
      await command.logged(/All workers are ready/, 2);
      expect(await ask({ path }, "/?x")).toBe("ok x");
      const second = await ended(runtime, { args: ["-b", `unix:${path}`, SITE] });
      expect([second.code, second.err]).toEqual([1, expect.stringMatching(/another server listens there/)]);
      command.kill("SIGTERM");
      await command.exit();
      expect(existsSync(path)).toBe(false);
    });
  });

  it("speaks the protocols of web servers, and tells the application what they told", async () => {
    await withCommand(runtime, { args: ["-w", "2", "--protocol", "scgi", SITE] }, async (command) => {
      const { port } = command;
      const variables = { REQUEST_METHOD: "GET", PATH_INFO: "/about", SERVER_NAME: "www.test", SERVER_PORT: "81" };
      let text = "";
      const socket = connect({ host: "127.0.0.1", port }).setEncoding("latin1").on("data", (part) => text += part);
      socket.write(scgiRequest(variables, "0"), "latin1");
      await once(socket, "close");
      expect(text).toMatch(/^Status: 200 OK\r\n/);
      expect(text).toMatch(/"SERVER_NAME":"www\.test","SERVER_PORT":"81"/);
      expect(command.log).toMatch(/Listening at: scgi:\/\/127/);
    });
  });

  it("pidfile, directory, environment", async () => {
    const files = {
      "below/app.ts": "export { app } from './there.ts';",
      "below/there.ts": `export { app } from ${JSON.stringify(SITE.replace(/:app$/, ""))};`,
    };
    const args = ["--chdir", "below", "-p", "tsgi.pid", "-e", "GREETING=a=b", "app"];
    await withCommand(runtime, { args, files }, async (command) => {
      const pidfile = command.path("below/tsgi.pid");
      expect(Number(readFileSync(pidfile, "utf8"))).toBe(command.pid);
      expect(JSON.parse(await command.get("/about"))).toMatchObject({
        directory: command.path("below"),
        greeting: "a=b",
        multiprocess: true,
      });
      const second = await ended(runtime, { args: ["-b", "127.0.0.1:0", "-p", pidfile, SITE] });
      expect([second.code, second.err]).toEqual([1, expect.stringMatching(/Pidfile .*: process \d+ runs already/)]);
      command.kill("SIGTERM");
      await command.exit();
      expect(existsSync(pidfile)).toBe(false);
      expect(alive(command.pid)).toBe(false);
      writeFileSync(pidfile, `${command.pid}\n`); // left behind by one that is dead: no hindrance
      expect((await ended(runtime, { args: ["-p", pidfile, "./nowhere"] })).code).toBe(3);
    });
  });
});

describe.runIf(process.getuid?.() === 0).each(runtimes)("%s as root", (runtime) => {
  it("workers run as another user, with its group and no other, and write their logs", async () => {
    const shell = 'chmod 755 . && exec "$@"';
    const args = ["-u", "nobody", "--access-logfile", "access", SITE];
    await withCommand(runtime, { args, shell }, async (command) => {
      const about = JSON.parse(await command.get("/about"));
      expect([about.uid, about.gid]).toEqual([65534, 65534]);
      expect(about.groups.filter((group: number) => group !== 65534)).toEqual([]);
      await until("the access log", () => /GET \/about/.test(readFileSync(command.path("access"), "utf8")));
      expect(lstatSync(command.path("access")).uid).toBe(65534);
    });
  });
});

describe("Deno without /proc, as on macOS", () => {
  const denied = 'deno=$1; shift 2; exec "$deno" run --deny-read=/proc "$@"';

  it("finds its sockets with lsof, and its flags with ps", async () => {
    const args = ["-w", "2", "-b", "127.0.0.1:0", "-b", "unix:a.sock", "-b", "127.0.0.1:0", SITE];
    await withCommand("deno", { args, shell: denied }, async (command) => {
      const ports = [...command.log.matchAll(/http:\/\/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));
      expect(new Set(ports).size).toBe(2);
      for (const where of [...ports.map((port) => ({ host: "127.0.0.1", port })), { path: command.path("a.sock") }]) {
        expect(await ask(where, "/?x")).toBe("ok x");
      }
      for (const pid of [command.arbiter, ...command.workers]) {
        expect(readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")).toContain("--deny-read=/proc");
      }
    });
  });

  it("says what is missing when there is no lsof either", async () => {
    const shell = `PATH=/nowhere; ${denied}`;
    const { code, err } = await ended("deno", { args: ["-b", "127.0.0.1:0", SITE], shell });
    expect(err).toMatch(
      /^tsgi: Cannot listen on 127\.0\.0\.1:0: Deno does not tell .*, and without \/proc the command lsof is needed: .*lsof/,
    );
    expect(code).toBe(1);
  });
});

it("descriptors from lsof, where there is no /proc", () => {
  const output = "p123\nf9\ntIPv4\nn127.0.0.1:8000\nf12\ntIPv6\nn[::1]:8000\n";
  expect(descriptorsFromLsof(output)).toEqual([9, 12]);
  const unix = "p123\nf3\ntunix\nn->0x1\nf7\ntunix\nn/run/a.sock.123\nfcwd\nn/\n";
  expect(descriptorsFromLsof(unix, ".123")).toEqual([7]);
});

describe("on Deno a process starts others as it was started", () => {
  const main = "file:///srv/tsgi/cli/main.ts";
  it.each<[string, string, string[]]>([
    ["deno run -A cli/main.ts", main, ["run", "-A", "/srv/tsgi/cli/main.ts"]],
    ["deno run --allow-net --config x.json /srv/tsgi/cli/main.ts", main, [
      "run",
      "--allow-net",
      "--config",
      "x.json",
      "/srv/tsgi/cli/main.ts",
    ]],
    ["deno run -A tsgi/cli", "https://jsr.io/@tsgi/tsgi/1.0.0/cli/main.ts", ["run", "-A", "tsgi/cli"]],
    ["deno run -R npm:tsgi", "file:///cache/npm/tsgi/cli/main.js", ["run", "-R", "npm:tsgi"]],
    ["/usr/bin/tsgi", main, ["run", "-A", "/srv/tsgi/cli/main.ts"]],
  ])("%s", (line, url, expected) => {
    const script = url.replace("file://", "");
    expect(denoCommand(line.split(" "), url, "/srv/tsgi", script)).toEqual(expected);
  });
});
