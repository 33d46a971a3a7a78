// Runs after `npm install` and `npm ci`: ensures that `node` and `tsc` are the versions that the project uses. node-22,
// typescript-6 and others have commands of the same names. npm links the names to the right package in a fresh install,
// but to the wrong one when it adds a package to an existing install.

import { readlinkSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const OWN = { node: "../node/bin/node", tsc: "../typescript/bin/tsc" };

const bin = fileURLToPath(new URL("../node_modules/.bin/", import.meta.url));

// On Windows these are files that start programs; there, install afresh.
if (process.platform !== "win32") {
  for (const [name, target] of Object.entries(OWN)) {
    const link = join(bin, name);
    if (targetOf(link) === target) continue;
    rmSync(link, { force: true });
    symlinkSync(target, link);
  }
}

function targetOf(link) {
  try {
    return readlinkSync(link);
  } catch {
    return undefined;
  }
}
