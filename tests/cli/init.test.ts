/**
 * `tsgi init` of a release: the projects that it makes are tested by their own tests, type checked, started by their own
 * commands, and answer. The registry has the package; here Node and Bun get it as `npm run build` makes it, and Deno the
 * sources. tests/cli/init_install.test.ts installs projects of a package that no registry has.
 */

import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { init, INIT_HELP, projectName } from "../../cli/init/mod.ts";
import { projectFiles } from "../../cli/init/project.ts";
import { manifest, PROJECTS } from "../../cli/init/runtimes.ts";
import { type TemplateName, TEMPLATES } from "../../cli/init/templates.ts";
import { VERSION } from "../../core/version.ts";
import { block } from "../front/documented.ts";
import { ownEnvironment } from "../server_process.ts";
import { Command, ended, projectPath, type Runtime, runtimes, until, withCommand } from "./command.ts";

const root = projectPath("");
const PATH = `${join(root, "node_modules/.bin")}:${process.env["PATH"]}`;

/** Not in the repository, and no other tool looks in; what the package needs is found above it. */
let consumer = "";

/** The package, as if it had been installed from a registry. */
let build = "";

/** The command of that package. */
let main = "";

beforeAll(() => {
  mkdirSync(projectPath("dist"), { recursive: true });
  consumer = mkdtempSync(projectPath("dist/init-"));
  writeFileSync(join(consumer, "package.json"), JSON.stringify({ dependencies: { tsgi: `^${VERSION}` } }));
  build = join(consumer, "node_modules/tsgi");
  main = join(build, "cli/main.js");
  const built = join(consumer, "built"); // below node_modules the compiler would leave declarations out
  execFileSync(process.execPath, [projectPath("scripts/build_npm.ts"), built], { stdio: "pipe" });
  mkdirSync(dirname(build));
  renameSync(built, build);
  chmodSync(main, 0o755); // as npm does with a package's commands
}, 60_000);

afterAll(() => rmSync(consumer, { recursive: true, force: true }));

/** Does what installing would do, without the network. */
function install(runtime: Runtime, folder: string, template: TemplateName): void {
  const { packages, types } = TEMPLATES[template];
  let links = modules("@types/node", "undici-types", ...Object.keys({ ...packages, ...types }));
  if (runtime === "deno") {
    const path = join(folder, "deno.json");
    const config = JSON.parse(readFileSync(path, "utf8"));
    writeFileSync(path, JSON.stringify({ ...config, links: [root], nodeModulesDir: "manual", lock: false }));
    links = { ...links, ...modules("chokidar", "readdirp") };
  } else {
    links = { ...links, tsgi: build, ".bin/tsgi": main };
  }
  for (const [name, target] of Object.entries(links)) {
    const path = join(folder, "node_modules", name);
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(target, path);
  }
}

/** Packages of the checkout. */
function modules(...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, projectPath(`node_modules/${name}`)]));
}

/** Runs a line of shell in a folder. */
function shell(cwd: string, line: string): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const env = { ...ownEnvironment(), PATH, NO_COLOR: "1" };
    execFile("sh", ["-c", line], { cwd, env, timeout: 60_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, output: `${stdout}${stderr}` });
    });
  });
}

/** Runs the test of a project, which passes. */
async function passes(folder: string, test: string): Promise<void> {
  const { code, output } = await shell(folder, test);
  expect(output).toMatch(/\b(pass 2|2 passed|2 pass)\b/);
  expect(code, output).toBe(0);
}

/** Makes a project by the command, on its runtime. */
async function withProject(
  runtime: Runtime,
  run: (folder: string, out: string) => Promise<void>,
  template?: TemplateName,
): Promise<void> {
  const args = ["init", ...(template === undefined ? [] : ["--template", template]), "my site"];
  const command = new Command(runtime, { args, main });
  try {
    expect(await command.exit(), command.log).toEqual({ code: 0, signal: null });
    await command.closed;
    install(runtime, command.path("my site"), template ?? "wsgi");
    await run(command.path("my site"), command.out);
  } finally {
    await command.stop();
  }
}

function edit(path: string, from: string, to: string): void {
  const text = readFileSync(path, "utf8");
  expect(text).toContain(from);
  writeFileSync(path, text.replace(from, to));
}

describe.concurrent.each(runtimes)("%s", (runtime) => {
  const { test, start, dev, command: words, manifest: file } = PROJECTS[runtime];
  const env = { PATH, TSGI_BIND: "127.0.0.1:0" };
  const types = runtime === "deno" ? "deno check ." : "tsc";

  it("the project's own test passes, fails when the application does, and the types are right", async () => {
    await withProject(runtime, async (folder, out) => {
      expect(out).toMatch(`Made for ${runtime} in my site:`);
      const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
      for (const { path } of projectFiles(runtime, "my-site", TEMPLATES.wsgi, null)) {
        expect(out).toContain(`  ${path} `);
        expect(files).toContain(path);
      }
      await passes(folder, test);
      expect(await shell(folder, types)).toEqual({ code: 0, output: expect.not.stringMatching(/\berror\b/) });
      edit(join(folder, "app.ts"), '"Hello "', '"Bye "');
      expect((await shell(folder, test)).code).not.toBe(0);
      edit(join(folder, "app.ts"), '"Bye "', "1");
      expect(await shell(folder, types)).toMatchObject({ output: expect.stringMatching(/TS2322/) });
    });
  }, 90_000);

  it("the start command serves on this runtime, and the development command reloads", async () => {
    await withProject(runtime, async (folder) => {
      const there = `cd '${folder}' && exec`;
      await withCommand(runtime, { env, shell: `${there} ${start}` }, async (command) => {
        expect(await command.get("/?name=you")).toBe("Hello you\n");
        expect(command.log).toMatch(`Using runtime: ${runtime} `);
        await until("the access log", () => /"GET \/\?name=you HTTP\/1\.1" 200/.test(command.out));
      });
      await withCommand(runtime, { env, shell: `${there} ${dev}` }, async (command) => {
        expect(await command.get("/")).toBe("Hello world\n");
        edit(join(folder, "app.ts"), '"Hello "', '"Bye "');
        await command.logged(/Worker reloading: .*app\.ts modified/);
        await until("the new code", async () => await command.get("/") === "Bye world\n");
      });
    });
  }, 90_000);

  it.each<[TemplateName]>([["hono"], ["express"]])(
    "16 --template %s: its own file is typed, passes its test and is served by two workers",
    async (template) => {
      await withProject(runtime, async (folder) => {
        const text = readFileSync(join(folder, "app.ts"), "utf8");
        expect(text).not.toContain("tsgi");
        expect(text).toMatch(/^export default app;$/m);
        await passes(folder, test);
        expect(await shell(folder, "deno fmt --check --quiet --prose-wrap=preserve *.ts *.md")).toMatchObject({
          code: 0,
        });
        expect(await shell(folder, "deno lint --quiet *.ts")).toMatchObject({ code: 0 });
        await withCommand(runtime, { env, shell: `cd '${folder}' && exec ${start}` }, async (command) => {
          expect(await command.get("/?name=you")).toBe("Hello you\n");
          expect(command.log).toMatch(`Using runtime: ${runtime} `);
          expect(command.workers).toHaveLength(2);
        });
        writeFileSync(join(folder, "app.ts"), `${text}export const wrong: string = app;\n`);
        const { output } = await shell(folder, types);
        expect(output.match(/\bTS\d+/g), output).toEqual(["TS2322"]); // all else is right
      }, template);
    },
    120_000,
  );

  it("what systemd runs serves its socket; Docker runs the same", async () => {
    const socket = createServer().listen(0, "127.0.0.1");
    await once(socket, "listening");
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
    const { port } = socket.address() as AddressInfo;
    await withProject(runtime, async (folder) => {
      const text = (path: string): string => readFileSync(join(folder, path), "utf8");
      const line = /^ExecStart=(.*)$/m.exec(text("deploy/my-site.service"))?.[1];
      expect(line).toBe(`${words.join(" ")} --workers auto app.ts`);
      expect(text("Dockerfile")).toMatch(`\nCMD ${JSON.stringify([...words, "app.ts"])}\n`);
      const exec = `cd '${folder}' && LISTEN_PID=$$ LISTEN_FDS=1 exec ${line}`;
      const serving = Command.serving(runtime, { env: { PATH }, sockets: [fd], shell: exec });
      socket.close(); // in the same turn: nothing is accepted here
      const command = await serving;
      try {
        expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe("Hello world\n");
        expect(command.arbiter).toBe(command.pid);
      } finally {
        await command.stop();
      }
    });
  }, 60_000);

  it("is formatted, without lint, and names this version", async () => {
    await withProject(runtime, async (folder) => {
      expect(await shell(folder, "deno fmt --check --quiet --prose-wrap=preserve *.ts *.md")).toMatchObject({
        code: 0,
      });
      expect(await shell(folder, "deno lint --quiet *.ts")).toMatchObject({ code: 0 });
      expect(JSON.parse(manifest(runtime, "x", TEMPLATES.wsgi, null))).toMatchObject(
        runtime === "deno"
          ? { imports: { tsgi: `jsr:@tsgi/tsgi@^${VERSION}` } }
          : { name: "x", dependencies: { tsgi: `^${VERSION}` } },
      );
      expect(readdirSync(folder)).toContain(file);
    });
  });

  it("overwrites nothing: it names what is in the way, exits with 2, and writes none", async () => {
    const files = { "README.md": "mine", "deploy/nginx.conf": "mine", "other.txt": "mine" };
    const command = new Command(runtime, { args: ["init"], files, main });
    try {
      expect(await command.exit()).toEqual({ code: 2, signal: null });
      await command.closed;
      expect(command.log).toMatch(
        /^tsgi: \S+ has README\.md, deploy\/nginx\.conf already: nothing was written\n$/,
      );
      expect(readdirSync(command.folder, { recursive: true }).toSorted()).toEqual(
        ["deploy", ...Object.keys(files)].toSorted(),
      );
      expect(readFileSync(command.path("README.md"), "utf8")).toBe("mine");
    } finally {
      await command.stop();
    }
  });

  it("./init is an application", async () => {
    const files = {
      "init.ts": "export const app = (_: unknown, start: Function) => { start('200 OK', []); return []; };",
    };
    expect(await ended(runtime, { args: ["./init", "--check-config"], files })).toMatchObject({ code: 0, err: "" });
  });
});

it.each<[string[], RegExp]>([
  [["--runtime", "perl"], /^--runtime: expected one of node, deno, bun, got perl$/],
  [["--runtime"], /^--runtime: expected one of node, deno, bun, got nothing$/],
  [["--template", "koa"], /^--template: expected one of hono, express, wsgi, got koa$/],
  [["--template="], /^--template: expected one of hono, express, wsgi, got $/],
  [["--force"], /^init: expected --template, --runtime, --help or a folder, got --force$/],
  [["a", "b"], /^init: expected one folder, got a and b$/],
])("init %j is refused", (args, message) => expect(() => init(args)).toThrow(message));

it("is for the runtime that is named", async () => {
  expect(await ended("node", { args: ["init", "--runtime=deno", "a"], main })).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^Made for deno in a:\n[^]*deno\.json[^]*\n {2}cd a\n {2}deno task test\n/),
  });
  expect((await ended("node", { args: ["init", "--help"] })).out).toBe(INIT_HELP);
});

it("says which file cannot be written", async () => {
  expect(await ended("node", { args: ["init", "/dev/null/a"], main })).toMatchObject({
    code: 2,
    err: expect.stringMatching(/^tsgi: Cannot write \/dev\/null\/a\/app\.ts: /),
  });
});

it("16 each template names the packages that tsgi is tested with", () => {
  const { devDependencies } = JSON.parse(readFileSync(projectPath("package.json"), "utf8"));
  for (const template of Object.values(TEMPLATES)) {
    const { packages, types } = template;
    const node = JSON.parse(manifest("node", "x", template, null));
    const { tsgi, ...own } = node.dependencies;
    expect(tsgi).toBe(`^${VERSION}`);
    expect(own).toEqual(packages);
    expect(devDependencies).toMatchObject({ ...own, ...node.devDependencies });
    expect(JSON.parse(manifest("bun", "x", template, null))).toMatchObject({ dependencies: node.dependencies });
    const { imports, compilerOptions } = JSON.parse(manifest("deno", "x", template, null));
    for (const [key, range] of Object.entries(packages)) expect(imports[key]).toBe(`npm:${key}@${range}`);
    const typed = Object.entries(types).map(([key, range]) => `npm:${key}@${range}`);
    expect(compilerOptions?.types ?? []).toEqual(typed);
  }
});

it.each([["/srv/site", "site"], ["/srv/My Site!", "my-site"], ["/srv/2nd", "nd"], ["/", "app"], ["/srv/ÄÖ", "app"]])(
  "the project in %s is named %s",
  (path, name) => expect(projectName(path)).toBe(name),
);

it("the site for nginx is the one of docs/deploy/http.md, which runs in tests/front", () => {
  const directives = (text: string): string => text.replace(/#.*$/gm, "").replace(/\s+/g, " ").trim();
  const site = projectFiles("node", "my-site", TEMPLATES.wsgi, null).find(({ path }) => path === "deploy/nginx.conf")
    ?.text as string;
  expect(directives(site)).toBe(directives(block("http.md", "nginx")).replaceAll("tsgi_app", "my_site"));
});
