/**
 * The table of all settings.
 *
 * @module
 */

import { development, type DevelopmentSettings } from "./development.ts";
import { hooks, type HookSettings } from "./hooks.ts";
import { http, type HttpSettings } from "./http.ts";
import { logging, type LoggingSettings } from "./logging.ts";
import { python, type PythonSettings } from "./python.ts";
import { processes, type ProcessSettings } from "./process.ts";
import type { Setting, Topic } from "./setting.ts";
import { sockets, type SocketSettings } from "./sockets.ts";
import { tls, type TlsCommandSettings } from "./tls.ts";
import { workers, type WorkerSettings } from "./workers.ts";

/** All settings, each with a value. */
export type Settings =
  & DevelopmentSettings
  & PythonSettings
  & SocketSettings
  & TlsCommandSettings
  & WorkerSettings
  & HttpSettings
  & LoggingSettings
  & ProcessSettings
  & HookSettings;

/** The name of a setting. */
export type Key = keyof Settings;

/** Settings by topic, in the order in which help shows them. */
export const topics: readonly (readonly [title: string, settings: Readonly<Record<string, Setting<never>>>])[] = [
  ["Application", development],
  ["Python", python],
  ["Sockets", sockets],
  ["TLS", tls],
  ["Workers", workers],
  ["Requests", http],
  ["Logs", logging],
  ["Processes", processes],
  ["Hooks", hooks],
] as unknown as [string, Record<string, Setting<never>>][];

/** All settings. */
export const table: Topic<Settings> = {
  ...development,
  ...python,
  ...sockets,
  ...tls,
  ...workers,
  ...http,
  ...logging,
  ...processes,
  ...hooks,
};

/** The names of all settings. */
export const keys: readonly Key[] = Object.keys(table) as Key[];

/** A setting by its name, of whatever type. */
export function settingOf(key: Key): Setting<unknown> {
  return table[key] as unknown as Setting<unknown>;
}
