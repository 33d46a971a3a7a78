/**
 * Finds out where the running tsgi came from, so that a new project takes tsgi from the same source.
 *
 * A project can name a version only if a registry has it. A tsgi that was installed from a file or runs from a checkout
 * may not be there, so the project gets a copy, which also works on a server and in an image. For npm and Bun the copy
 * is a tarball. Deno does not install tarballs, so its copy is the sources, and the import map has an entry for each
 * module that the package exports.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { InitError, type OwnPackage, type ProjectFile, type ProjectRuntime } from "./runtimes.ts";

/** The folder of the copy in a project. */
const COPY = "vendor";

/** A `package.json`, as far as it is read. */
interface Manifest {
  readonly name?: string;
  readonly version?: string;
  readonly files?: readonly string[];
  readonly exports?: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  /** A release names its repository, which only the workflow of a release writes into the manifest. */
  readonly repository?: unknown;
}

/**
 * Describes the package that contains a module, for the manifest of a project.
 *
 * @param url URL of the module.
 * @param runtime The runtime of the project.
 * @throws {InitError} when a copy is necessary and cannot be made.
 */
export function ownPackage(url: string, runtime: ProjectRuntime): OwnPackage | null {
  if (!url.startsWith("file:")) return null; // JSR has it
  const path = fileURLToPath(url);
  const root = packageFolder(path);
  if (root === undefined) {
    throw new InitError(
      `${dirname(path)} belongs to no package tsgi: run init of an installed package or of a checkout`,
    );
  }
  const manifest = manifestOf(root) as Manifest;
  const isCheckout = existsSync(join(root, "scripts/build_npm.ts"));
  const asked = isCheckout ? undefined : askedFor(root);
  if (!isCheckout && (asked === undefined ? manifest.repository !== undefined : isRange(asked.text))) return null;
  if (runtime === "deno") return sources(root, manifest);
  const tarball = asked === undefined ? undefined : tarballOf(asked);
  const file = tarball === undefined
    ? packed(root, isCheckout)
    : { name: basename(tarball), content: readFileSync(tarball) };
  const copy = `${COPY}/${file.name}`;
  return {
    folder: COPY,
    dependency: `file:${copy}`,
    imports: {},
    files: [{ path: copy, what: "tsgi itself, since no registry has it", text: file.content }],
  };
}

/** The folder of the package that has a file, after links are resolved. */
function packageFolder(path: string): string | undefined {
  for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
    if (manifestOf(folder)?.name === "tsgi") return folder;
  }
  return undefined;
}

function manifestOf(folder: string): Manifest | undefined {
  const path = join(folder, "package.json");
  return existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) as Manifest : undefined;
}

/** What the manifest of a project asks for as `tsgi`, and the folder of that manifest. */
interface Asked {
  readonly text: string;
  readonly folder: string;
}

/** What was asked for when the package at `root` was installed; undefined if no manifest says that. */
function askedFor(root: string): Asked | undefined {
  for (let folder = dirname(root); folder !== dirname(folder); folder = dirname(folder)) {
    if (basename(folder) !== "node_modules") continue;
    const text = manifestOf(dirname(folder))?.dependencies?.["tsgi"];
    if (text !== undefined) return { text, folder: dirname(folder) };
  }
  return undefined;
}

/** Whether a dependency is a range of versions, or a tag, which a registry resolves. */
function isRange(text: string): boolean {
  return !/[:/]|\.tgz$/.test(text) || /^(?:npm|workspace|catalog):/.test(text);
}

/** The tarball that was installed, if it is still there. */
function tarballOf({ text, folder }: Asked): string | undefined {
  const path = resolve(folder, text.replace(/^file:/, ""));
  return path.endsWith(".tgz") && existsSync(path) ? path : undefined;
}

/** Makes a tarball of a package or, after a build, of a checkout. */
function packed(root: string, isCheckout: boolean): { name: string; content: Uint8Array } {
  const work = mkdtempSync(join(tmpdir(), "tsgi-init-"));
  const npm = (...args: readonly string[]): void => {
    execFileSync("npm", args, { cwd: root, stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
  };
  try {
    if (isCheckout) npm("run", "--silent", "build", "--", join(work, "package"));
    npm("pack", "--silent", "--pack-destination", work, isCheckout ? join(work, "package") : root);
    const name = readdirSync(work).find((one) => one.endsWith(".tgz")) as string;
    return { name, content: readFileSync(join(work, name)) };
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    const before = isCheckout ? `run "npm ci" in ${root} first` : "npm is necessary for that";
    const why = (stderr ?? "").trim() || message;
    throw new InitError(`Cannot make a package of ${root} for the project: ${before}.\n${why}`, { cause: error });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Copies the sources, and makes the entries of an import map for them. */
function sources(root: string, manifest: Manifest): OwnPackage {
  const folder = `${COPY}/tsgi`;
  const from = existsSync(join(root, "src/mod.ts")) ? join(root, "src") : root;
  const names = from === root ? (manifest.files ?? []) : readdirSync(from);
  const files = names.flatMap((name) => filesBelow(join(from, name))).filter((path) => path.endsWith(".ts"));
  const modules = Object.entries(manifest.exports ?? {}).map(([name, entry]): [string, string] => {
    const code = typeof entry === "string" ? entry : entry["default"] as string;
    return [`tsgi${name.slice(1)}`, code.replace(/\.js$/, ".ts")];
  });
  const packages = Object.entries(manifest.dependencies ?? {});
  const imports = Object.fromEntries([
    ...[...modules, ["tsgi/cli", "./cli/main.ts"] as const]
      .filter(([, source]) => source.endsWith(".ts"))
      .map(([name, source]) => [name, `./${folder}/${source.slice("./".length)}`] as const),
    ...packages.map(([name, range]) => [name, `npm:${name}@${range}`] as const),
  ]);
  return {
    folder: COPY,
    dependency: null,
    imports,
    files: files.map((path): ProjectFile => ({
      path: `${folder}/${relative(from, path)}`,
      what: null,
      text: readFileSync(path),
    })),
  };
}

function filesBelow(path: string): string[] {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => filesBelow(join(path, name)));
}
