/**
 * A reader who pastes a page from top to bottom, into a machine of their own.
 *
 * The machine is a temporary folder with no package in any folder above it. `tsgi` in it stands for the checkout, `my-app`
 * for the project of getting-started.md, `root` for `/`. Only what belongs to a machine is replaced:
 *
 * - the ports 80, 8000, 9000, 4000 and 3031 of 127.0.0.1 by free ones, the same one wherever a page names it;
 * - absolute paths below /etc, /run, /srv and /var by paths below `root`;
 * - `npm ci` and `npm run build` in the checkout by the build of this checkout, `npm install` by the same without the network;
 * - systemd by what it would do: `systemctl restart apache2` starts an Apache with the sites that the reader enabled, and
 *   `systemctl enable --now app.socket app.service` runs ExecStart of the unit, bound to its ListenStream;
 * - `a2enmod`, `a2ensite` and `nginx -t` act on the instance's own config.
 *
 * A file comes into being where the page shows it: a `ts` block by the name in its first line, or by "Save ... as `/path`" in
 * front of it; a config by "in `/path`:" in front of it; a unit by its first line. A line that serves runs until the next
 * one that serves, as it does in a reader's first terminal. It is asked once.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { freePorts, Instance, ownDirectory } from "../front/instance.ts";
import { apache, find, nginx } from "../front/programs.ts";
import { until } from "../lifecycle/cell.ts";
import { ownEnvironment, projectPath } from "../server_process.ts";
import { addressOf, commandLines, endLine, type Line, occurs, runLine, serves } from "./line.ts";
import { type Fence, fences, pageText } from "./markdown.ts";
import { pastedLinesNotRun } from "./not_run.ts";
import { ask, isAnswer } from "./served.ts";
import { execStart, parseUnit, type Unit } from "./units.ts";

const PORTS = ["80", "8000", "9000", "4000", "3031"] as const;
const ABSOLUTE = /(^|[\s"'=:])(\/(?:run|srv|var|etc)\/[\w./-]+)/gm;
const SITES = "/etc/apache2/sites-available";
const NGINX_CONF = "/etc/nginx/conf.d/app.conf";
const RELOADS = /All workers are ready/g;

/** The pages that a test pastes; `blocks.test.ts` runs the `sh` blocks of the others. tls.md has no front end. */
export function isPasted(page: string): boolean {
  return page === "docs/getting-started.md" ||
    (/^docs\/deploy\/\w+\.md$/.test(page) && !/\/(?:README|tls)\.md$/.test(page));
}

/** A reader of one page. */
export class Reader {
  readonly #page: string;
  readonly #base: string;
  readonly #ports = new Map<string, number>();
  readonly #modules: string[] = [];
  readonly #sites: string[] = [];
  readonly #units = new Map<string, Unit>();
  readonly #fronts = new Map<string, Instance>();
  #cwd: string;
  #server: { readonly line: Line; readonly runs: string } | undefined;

  private constructor(page: string, base: string) {
    this.#page = page;
    this.#base = base;
    this.#cwd = join(base, "tsgi");
  }

  /**
   * Makes a machine.
   *
   * @param build The built package, as `npm run build` makes it.
   * @param project A folder to begin with, that of getting-started.md; none for that page itself.
   */
  static async at(page: string, build: string, project: string | undefined): Promise<Reader> {
    const reader = new Reader(page, ownDirectory("reader"));
    try {
      const free = await freePorts(PORTS.length);
      PORTS.forEach((port, i) => reader.#ports.set(port, free[i] as number));
      for (const name of ["tsgi", "root", "home", "bin"]) mkdirSync(join(reader.#base, name));
      cpSync(build, join(reader.#base, "tsgi/dist"), { recursive: true });
      for (const runtime of ["node", "deno", "bun"]) reader.#provide(runtime);
      symlinkSync("bun", join(reader.#base, "bin/bunx"));
      if (project !== undefined) {
        reader.#cwd = join(reader.#base, "my-app");
        cpSync(project, reader.#cwd, { recursive: true, verbatimSymlinks: true });
      }
      return reader;
    } catch (error) {
      await reader.end();
      throw error;
    }
  }

  /** The folder in which the reader is. */
  get folder(): string {
    return this.#cwd;
  }

  /** Where the web server in front answers. */
  get front(): string {
    return `http://127.0.0.1:${this.#ports.get("80")}`;
  }

  /** A program on the PATH that the web server's user may run too, though it may not enter the checkout. */
  #provide(name: string): void {
    const binary = realpathSync(projectPath(`node_modules/.bin/${name}`));
    const place = join(this.#base, "bin", name);
    try {
      linkSync(binary, place);
    } catch {
      copyFileSync(binary, place); // another file system
    }
  }

  /** Pastes the page: each file is saved, each line run, and what the page says is printed is compared. */
  async paste(): Promise<void> {
    let printed: string | undefined;
    for (const block of fences(this.#page)) {
      try {
        if (block.info === "text" && printed !== undefined) this.#compare(block.code, printed);
        else if (block.info === "sh") printed = await this.#type(block.code);
        else this.#save(block);
      } catch (error) {
        const logs = [...this.#fronts].map(([name, { log }]) => `${name} wrote:\n${log.slice(-2000)}`);
        throw new Error([`${block.name}: ${(error as Error).message}`, this.#said, ...logs].join("\n"), {
          cause: error,
        });
      }
    }
  }

  get #said(): string {
    return this.#server === undefined ? "" : `${this.#server.runs} wrote:\n${this.#server.line.output()}`;
  }

  #compare(code: string, printed: string): void {
    const lines = code.trimEnd().split("\n");
    if (!occurs(lines, printed)) throw new Error(`expected\n${code}\nin\n${printed}`);
  }

  /** Saves a block, if the page says where. */
  #save({ info, name, code }: Fence): void {
    const before = pageText(this.#page).split("\n").slice(0, Number(name.replace(/^.*:/, "")) - 2).join("\n").trimEnd();
    const sentence = before.slice(before.lastIndexOf("\n\n") + 2);
    const absolute = /(?:\bin|Save .* as) `(\/[\w./-]+)`[^`]*$/is.exec(sentence)?.[1];
    const named = info.startsWith("ts") ? /^\/\/ ([\w.]+)\n/.exec(code)?.[1] : undefined;
    const unit = info === "ini" ? parseUnit(code) : undefined;
    const file = named ?? unit?.path ?? absolute;
    if (file === undefined) return;
    const path = resolve(this.#cwd, this.moved(file));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, this.#mapped(code));
    if (unit !== undefined) this.#units.set(file.replace(/^.*\//, ""), unit);
  }

  /** Where an absolute path of the page is on this machine. */
  moved(path: string): string {
    return path.startsWith("/") ? join(this.#base, "root", path) : path;
  }

  /** Text of the page with what belongs to a machine replaced. */
  #mapped(text: string): string {
    const port = (page: string): string => String(this.#ports.get(page) ?? page);
    return text.replace(ABSOLUTE, (_, before: string, path: string) => before + this.moved(path))
      .replace(/\b(127\.0\.0\.1):(\d+)/g, (_, host: string, page: string) => `${host}:${port(page)}`)
      .replace(/http:\/\/127\.0\.0\.1\//g, `http://127.0.0.1:${port("80")}/`)
      .replace(/^(\s*listen) 80;$/gm, `$1 127.0.0.1:${port("80")};`)
      .replace(/\*:80\b/g, `127.0.0.1:${port("80")}`)
      .replace(/\bport: (\d+)/g, (_, page: string) => `port: ${port(page)}`);
  }

  async #type(code: string): Promise<string> {
    let printed = "";
    for (const line of commandLines(code)) {
      if (pastedLinesNotRun.some((one) => one.line.test(line))) continue;
      printed += await this.run(line);
    }
    return printed;
  }

  /** Runs a line of the page, or one like it, until it ends or serves. Returns what it has printed. */
  async run(line: string): Promise<string> {
    for (const [form, act] of this.#stands) {
      const match = form.exec(line);
      if (match !== null) return await act.call(this, match[1] ?? "") ?? "";
    }
    const command = this.#mapped(line);
    const long = serves(line);
    if (long) await this.#interrupt();
    const bind = `127.0.0.1:${this.#ports.get("8000")}`;
    const ran = await runLine(line, command, {
      cwd: this.#cwd,
      env: { ...this.#environment(), PORT: bind.replace(/^.*:/, ""), TSGI_BIND: bind },
      serves: long,
    });
    if (ran.status === null) {
      this.#server = { line: ran, runs: line };
      const { to, protocol } = addressOf(line, ran.output());
      const answer = await ask(to, protocol);
      if (!isAnswer(answer)) throw new Error(`${line}: expected a 200, got ${answer}`);
    } else if (ran.status !== 0) throw new Error(`${line}: exit ${ran.status}\n${ran.output()}`);
    return ran.output();
  }

  #environment(): Record<string, string | undefined> {
    const { WEB_CONCURRENCY: _workers, ...environment } = ownEnvironment();
    const cache = { npm_config_cache: npmCache(), npm_config_offline: "true", npm_config_update_notifier: "false" };
    // The first folder has the runtimes, the second npm.
    return {
      ...environment,
      ...cache,
      PATH: `${join(this.#base, "bin")}:${PATH}`,
      HOME: join(this.#base, "home"),
      NO_COLOR: "1",
    };
  }

  /** Lines that a stand-in carries out. */
  readonly #stands:
    readonly (readonly [form: RegExp, act: (this: Reader, rest: string) => Promise<string> | string | void])[] = [
      [/^cd (\S+)$/, (path) => void (this.#cwd = resolve(this.#cwd, this.moved(path)))],
      [/^npm ci$/, () => {}],
      [/^npm run build$/, () => {}],
      [/^a2enmod (.+)$/, (names) => void this.#modules.push(...names.split(" "))],
      [/^a2ensite (\S+)$/, (name) => this.#enable(name)],
      [/^apachectl configtest$/, () => {}], // Apache checks its configuration when it starts
      [/^nginx -t$/, () => this.#check()],
      [/^systemctl reload (nginx)$/, () => this.#front("nginx")],
      [/^systemctl restart (apache2)$/, () => this.#front("apache")],
      [/^systemctl daemon-reload$/, () => {}],
      [/^systemctl enable --now (.+)$/, (names) => this.#enableNow(names.split(" "))],
      [/^systemctl reload app$/, () => this.#hangUp()],
      [/^chown (?!www-data: \/var\/cache\/tsgi$)/, () => {
        throw new Error("an owner that this machine does not have");
      }],
      [/^chown www-data: (\S+)$/, (path) => chmodSync(this.moved(path), 0o777)], // whoever runs the test
    ];

  #enable(name: string): void {
    const file = this.moved(`${SITES}/${name}.conf`);
    if (!existsSync(file)) throw new Error(`a2ensite ${name}: nothing was saved as ${SITES}/${name}.conf`);
    this.#sites.push(file);
  }

  #configured(program: "nginx" | "apache"): string {
    const files = program === "nginx" ? [this.moved(NGINX_CONF)] : this.#sites;
    return files.map((file) => readFileSync(file, "utf8")).join("\n");
  }

  #check(): void {
    const directory = ownDirectory("reader-nginx");
    try {
      const [command, ...args] = nginx(directory, this.#configured("nginx"));
      const { status, stderr } = spawnSync(command, [...args, "-t"], { encoding: "utf8" });
      if (status !== 0) throw new Error(stderr);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }

  /** Starts a web server with what the reader has configured. */
  async #front(program: "nginx" | "apache"): Promise<void> {
    if (find(program) === null) throw new Error(`${program} is not installed`);
    const port = this.#ports.get("80") as number;
    for (const front of this.#fronts.values()) await front.stop(); // both pages' servers listen at port 80
    this.#fronts.clear();
    const instance = await Instance.start({
      name: `reader-${program}`,
      ports: 0,
      listens: [port],
      errorLog: "error.log",
      env: { PATH: `${join(this.#base, "bin")}:/usr/local/bin:/usr/bin:/bin` },
      prepare: (directory) =>
        program === "nginx"
          ? nginx(directory, this.#configured(program))
          : apache(directory, this.#configured(program), this.#modules, [port]),
    });
    this.#fronts.set(program, instance);
  }

  /** Runs the service of the units, bound to the socket of the other. */
  async #enableNow(names: readonly string[]): Promise<void> {
    const units = names.map((name) => this.#units.get(name));
    const socket = units.map((unit) => unit?.sections["Socket"]?.["ListenStream"]?.[0]).find((path) =>
      path !== undefined
    );
    const service = units.find((unit) => unit?.sections["Service"] !== undefined);
    const started = service === undefined ? undefined : execStart(service);
    const command = service?.sections["Service"]?.["ExecStart"]?.[0];
    const folder = service?.sections["Service"]?.["WorkingDirectory"]?.[0];
    if (socket === undefined || started === undefined || command === undefined || folder === undefined) {
      throw new Error(`${names.join(" ")}: no socket and service of these names were saved`);
    }
    await this.#interrupt();
    mkdirSync(dirname(this.moved(socket)), { recursive: true });
    const line = await runLine(command, `exec ${this.#mapped(command)}`, {
      cwd: this.moved(folder),
      env: { ...this.#environment(), ...started.env, TSGI_BIND: `unix:${this.moved(socket)}` },
      serves: true,
    });
    this.#server = { line, runs: command };
  }

  async #hangUp(): Promise<void> {
    const line = this.#server?.line;
    if (line === undefined) throw new Error("nothing serves");
    const before = line.output().match(RELOADS)?.length ?? 0;
    process.kill(line.child.pid as number, "SIGHUP");
    await until(
      "the workers to be replaced",
      () => (line.output().match(RELOADS)?.length ?? 0) > before,
      20_000,
      () => this.#said,
    );
  }

  /** Ends what serves, as Ctrl-C does. */
  async #interrupt(): Promise<void> {
    if (this.#server !== undefined) await endLine(this.#server.line.child, "SIGINT");
    this.#server = undefined;
  }

  /** Ends what runs, and removes the machine. */
  async end(): Promise<void> {
    await this.#interrupt();
    for (const front of this.#fronts.values()) await front.stop();
    rmSync(this.#base, { recursive: true, force: true });
  }
}

const PATH = (process.env["PATH"] ?? "").split(":").filter((part) => !part.endsWith("node_modules/.bin")).join(":");

let cacheFolder: string | undefined;

/** npm's cache, which has what `npm ci` of this checkout fetched. */
function npmCache(): string {
  return cacheFolder ??= spawnSync("npm", ["config", "get", "cache"], { encoding: "utf8" }).stdout.trim();
}
