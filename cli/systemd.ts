/**
 * What systemd gives and wants: sockets that it has opened (`LISTEN_FDS`), and word of readiness (`NOTIFY_SOCKET`).
 *
 * No runtime can send to a Unix datagram socket without flags, so the command `systemd-notify` does; the unit needs
 * `NotifyAccess=all`, for the message comes from a child.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import type { Bind } from "./bind.ts";
import { FIRST_SOCKET } from "./child.ts";
import type { Log } from "./log.ts";

/** The sockets that systemd hands to this process, as descriptors 3 and up. Empty where it hands over none. */
export function activatedSockets(): Bind[] {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = process.env;
  if (pid === undefined || count === undefined || Number(pid) !== process.pid) return [];
  delete process.env.LISTEN_PID; // not for the workers
  delete process.env.LISTEN_FDS;
  delete process.env.LISTEN_FDNAMES;
  const sockets = /^[1-9][0-9]{0,3}$/.test(count) ? Number(count) : 0;
  return Array.from({ length: sockets }, (_, i) => ({ kind: "fd", fd: FIRST_SOCKET + i }));
}

/** Tells systemd, if it wants to know. */
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
