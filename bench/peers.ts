/**
 * Finds and starts the peers, each with one process and one thread unless more are requested.
 *
 * gunicorn (its default worker) and uWSGI (`http-socket`) close the connection after each response, so each request
 * pays for a new connection. They are meant to run behind a web server; `npm run bench:front` measures that. hono and
 * srvx are installed into a folder of the system's temporary directory on first use. The results list each peer that is
 * not available, with the reason.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { projectPath, runCommand } from "../tests/server_process.ts";
import { which } from "./machine.ts";
import type { Job } from "./workloads.ts";

/** The peers. */
export type PeerName = "gunicorn" | "uwsgi" | "hono" | "srvx";

/** All of them. */
export const peers: readonly PeerName[] = ["gunicorn", "uwsgi", "hono", "srvx"];

const manifest = projectPath("bench/peers/package.json");
const program = projectPath("bench/peers/fetch_peer.mjs");
const user = process.getuid?.() ?? 0;
const installed = join(tmpdir(), `tsgi-bench-peers-${user}`);
let installing: string | null | undefined;

/** Installs hono and srvx; returns the reason why that failed, or null. */
function install(): string | null {
  const there = join(installed, "package.json");
  mkdirSync(installed, { recursive: true });
  const current = existsSync(there) && readFileSync(there, "utf8") === readFileSync(manifest, "utf8");
  if (!current || !existsSync(join(installed, "node_modules"))) {
    copyFileSync(manifest, there);
    const args = ["install", "--no-audit", "--no-fund", "--ignore-scripts"];
    const npm = spawnSync("npm", args, { cwd: installed, encoding: "utf8", timeout: 120_000 });
    if (npm.status !== 0) return `npm install failed: ${String(npm.stderr).trim().split("\n")[0] ?? npm.error}`;
  }
  copyFileSync(program, join(installed, "fetch_peer.mjs"));
  return null;
}

/** Returns the reason why a peer is not available, or null. */
export function hasPeers(name: PeerName): string | null {
  if (name === "hono" || name === "srvx") return installing ??= install();
  if (which(name) === null) return `there is no ${name}: apt-get install ${name}`;
  if (name === "uwsgi" && !existsSync("/usr/lib/uwsgi/plugins/python3_plugin.so")) {
    return "uwsgi has no Python: apt-get install uwsgi-plugin-python3";
  }
  return null;
}

/** The command of gunicorn with this many workers. */
export function gunicornCommand(job: Job, workers: number, options: readonly string[] = []): readonly string[] {
  return [
    "gunicorn",
    ...["--workers", String(workers), "--bind", "127.0.0.1:0", "--chdir", projectPath("bench/peers"), ...options],
    `app:${job}`,
  ];
}

/** The command of uWSGI with this many processes and one of its sockets, `http-socket` or `uwsgi-socket`. */
export function uwsgiCommand(socket: string, job: Job, processes: number = 1): readonly string[] {
  return [
    "uwsgi",
    ...["--plugin", "python3", "--chdir", projectPath("bench/peers"), "--module", `app:${job}`, `--${socket}`],
    ...["127.0.0.1:0", "--processes", String(processes), "--disable-logging", "--listen", "128", "--need-app"],
    "--die-on-term",
    ...(processes > 1 ? ["--master"] : []), // without one, nobody ends the second process
    // uWSGI closes the connection after each response without announcing it, which wrk would count as an error.
    ...(socket === "http-socket" ? ["--add-header", "Connection: close"] : []),
  ];
}

/** Returns the command of a peer. Its output contains the port. */
export function peerCommand(name: PeerName, job: Job): readonly string[] {
  switch (name) {
    case "gunicorn":
      return gunicornCommand(job, 1);
    case "uwsgi":
      return uwsgiCommand("http-socket", job);
    case "hono":
    case "srvx":
      return [runCommand("node", "").binary, join(installed, "fetch_peer.mjs"), name, job];
  }
}

/** Matches the port in the output of any server that is ready. */
export const READY: RegExp =
  /(?:listening |Listening at: http:\/\/127\.0\.0\.1:|uwsgi socket 0 bound to TCP address 127\.0\.0\.1:)([0-9]+)/;
