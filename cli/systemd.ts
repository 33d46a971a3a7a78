/**
 * The interface to systemd: socket activation (`LISTEN_FDS`) and readiness notification (`NOTIFY_SOCKET`).
 *
 * No runtime can send to a Unix datagram socket without flags. So tsgi runs the command `systemd-notify`. The message
 * then comes from a child process, so the unit needs `NotifyAccess=all`.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import type { Bind } from "./bind.ts";
import { FIRST_SOCKET } from "./child.ts";
import type { Log } from "./log.ts";

/** The sockets that systemd passes to this process, as descriptors 3 and up. Empty if it passes none. */
export function activatedSockets(): Bind[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = process.env;
  if (pid === undefined || count === undefined || Number(pid) !== process.pid) return [];
  delete process.env.LISTEN_PID; // workers must not inherit them
  delete process.env.LISTEN_FDS;
  delete process.env.LISTEN_FDNAMES;
  const sockets = /^[1-9][0-9]{0,3}$/.test(count) ? Number(count) : 0;
  return Array.from({ length: sockets }, (_, i) => ({ kind: "fd", fd: FIRST_SOCKET + i }));
}

/** Notifies systemd of a state, if NOTIFY_SOCKET is set. */
export function notify(log: Log, ...state: readonly string[]): Promise<void> {
  const path = process.env.NOTIFY_SOCKET;
  if (path === undefined || path === "") return Promise.resolve();
  return new Promise((resolve) => {
    const child = spawn("systemd-notify", [...state], { stdio: "ignore" });
    child.once("error", (error) => {
      log.warning(`NOTIFY_SOCKET is set, and systemd-notify cannot be run: ${error.message}`);
      resolve();
    });
    child.once("exit", (code) => {
      if (code !== 0) log.warning(`systemd-notify ${state.join(" ")} exited with code ${code}`);
      resolve();
    });
  });
}
