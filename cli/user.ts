/**
 * Looks up the ids of users and groups by their names, with the system's own commands.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { ProcessSettings } from "./settings/process.ts";
import { SettingError } from "./settings/setting.ts";

/** The user and group that a process runs as; undefined does not change them. */
export interface Identity {
  /** User id. */
  readonly uid: number | undefined;
  /** Group id. */
  readonly gid: number | undefined;
}

/**
 * The ids of the user and the group in the settings.
 *
 * @throws {SettingError} when there is no such user or group.
 */
export function identityOf({ user, group }: Pick<ProcessSettings, "user" | "group">): Identity {
  const uid = user === null ? undefined : numberOf("user", user, ["id", "-u", user]);
  const own = user === null || uid === undefined ? undefined : idOf(["id", "-g", user]);
  const gid = group === null ? own : numberOf("group", group, ["getent", "group", group]);
  return { uid, gid };
}

function numberOf(key: string, name: string, command: readonly string[]): number {
  if (/^\d+$/.test(name)) return Number(name);
  const id = idOf(command) ?? (key === "group" ? groupFromFile(name) : undefined);
  if (id === undefined) throw new SettingError(`--${key}`, `a ${key} of this system`, JSON.stringify(name));
  return id;
}

/** Reads an id from the output of `id`, or from the third field of `getent`. */
function idOf([program, ...args]: readonly string[]): number | undefined {
  const { stdout, status } = spawnSync(program as string, args, { encoding: "utf8" });
  if (status !== 0) return undefined;
  const text = stdout.trim();
  const id = text.includes(":") ? text.split(":")[2] : text;
  return id !== undefined && /^\d+$/.test(id) ? Number(id) : undefined;
}

/** Looks a group up in /etc/group, for systems without `getent`. */
function groupFromFile(name: string): number | undefined {
  try {
    const line = readFileSync("/etc/group", "utf8").split("\n").find((one) => one.startsWith(`${name}:`));
    return line === undefined ? undefined : Number(line.split(":")[2]);
  } catch {
    return undefined;
  }
}
