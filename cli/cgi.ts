/**
 * `tsgi cgi MODULE`: runs an application of any kind once, as a CGI script.
 *
 * An application of any framework becomes a CGI script without other changes: its first line names the command.
 *
 *     #!/usr/bin/env -S node_modules/.bin/tsgi cgi
 *
 * A program that listens by itself is a script too: its first call to listen names the application.
 *
 * @module
 */

import { consoleToStandardError } from "../adapters/cgi_process.ts";
import { APP_TYPES, type AppType } from "./app_type.ts";
import { SettingError } from "./settings/setting.ts";
import { loadApp } from "./application.ts";

const PATIENCE = 30; // seconds that a program has to listen: most web servers wait for 60

/**
 * Answers the request of this process.
 *
 * @param args The arguments after `tsgi cgi`: `[--app-type TYPE] MODULE[:NAME]`.
 * @returns the exit status; the process ends by itself once the response is written.
 * @throws {SettingError} (as a rejection) when the arguments are wrong.
 * @throws {AppLoadError} (as a rejection) when the application cannot be loaded.
 */
export async function runScript(args: readonly string[]): Promise<number> {
  const { spec, type } = readArguments(args);
  consoleToStandardError(); // programs print that they listen, and standard output is the response
  const bind = { kind: "fd", fd: 0 } as const; // a script has no address
  const capture = { bind, extraListen: "refuse", connections: () => 1, closed: () => {} } as const;
  const { app, capture: program } = await loadApp(spec, { type, capture, patience: PATIENCE });
  const { runCgi } = await import("../adapters/cgi.ts");
  const code = await runCgi(app);
  program?.finish();
  return code;
}

function readArguments(args: readonly string[]): { spec: string; type: AppType } {
  const rest = [...args];
  let type: AppType = "auto";
  if (rest[0]?.startsWith("--app-type") === true) {
    const [flag, value = rest.splice(1, 1)[0]] = (rest.shift() as string).split("=", 2);
    const found = APP_TYPES.find((one) => one === value);
    if (flag !== "--app-type" || found === undefined) {
      throw new SettingError("--app-type", `one of ${APP_TYPES.join(", ")}`, String(value));
    }
    type = found;
  }
  const [spec, ...more] = rest;
  if (spec === undefined || spec.startsWith("-") || more.length > 0) {
    throw new SettingError("tsgi cgi", "[--app-type TYPE] MODULE[:NAME]", args.join(" ") || "nothing");
  }
  return { spec, type };
}
