/** Loaded before a program: writes the paths of all modules that it has loaded when it ends. See loaded_modules.ts. */

import { writeFileSync } from "node:fs";
import * as module from "node:module";
import process from "node:process";
import { fileURLToPath } from "node:url";

const report = process.env["TSGI_LOADED"] as string;
const loaded: string[] = [];
if (process.versions.bun === undefined) {
  module.registerHooks({
    load: (url, context, next) => {
      if (url.startsWith("file:")) loaded.push(fileURLToPath(url));
      return next(url, context);
    },
  });
}
process.on("exit", () => {
  if (process.versions.bun !== undefined) loaded.push(...Object.keys(module.createRequire(import.meta.url).cache));
  writeFileSync(report, JSON.stringify(loaded));
});
