// Runs before `npm start` and `npm test`: installs the dependencies if they are missing or differ from the lockfile.
// It is plain JavaScript, because it runs on the node that is already present (20 or later). Later scripts run on the
// installed node, because npm puts node_modules/.bin first on their PATH.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const bin = join(root, "node_modules", ".bin");

const reason = whyInstall();
if (reason !== null) {
  console.error(`${reason}: running npm ci`);
  process.exit(install());
}

/**
 * Why the dependencies have to be installed, or null. npm notes what it has installed in
 * node_modules/.package-lock.json.
 */
function whyInstall() {
  const wanted = packages("package-lock.json");
  const installed = packages("node_modules/.package-lock.json");
  if (wanted === null) throw new Error("package-lock.json is missing or unreadable");
  if (installed === null) return "Dependencies are not installed";
  for (const [path, { version, optional }] of Object.entries(wanted)) {
    if (path === "") continue;
    // Optional packages for another system are in the lockfile but not here.
    if (installed[path] === undefined ? !optional : installed[path].version !== version) {
      return `${path} is not at ${version}, which the lockfile asks for`;
    }
  }
  // Follows the link, so that it also notices a node that an install script did not fetch.
  return existsSync(join(bin, "node")) || existsSync(join(bin, "node.cmd")) ? null : "node is not installed";
}

function packages(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), "utf8")).packages;
  } catch {
    return null;
  }
}

function install() {
  // With the npm and node that run us, but never the node in node_modules: npm ci is about to delete it.
  const path = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== bin).join(delimiter);
  const { npm_execpath: npm, npm_node_execpath: node } = process.env;
  const args = ["ci", "--no-audit", "--no-fund", "--loglevel=error"];
  const command = npm && node ? [node, npm, ...args] : ["npm", ...args];
  const options = { cwd: root, stdio: "inherit", env: { ...process.env, PATH: path } };
  const result = spawnSync(command[0], command.slice(1), options);
  if (result.error) throw result.error;
  return result.status ?? 1;
}
