/**
 * The files of a new project. The application, its test and the settings are the same on every runtime.
 *
 * The files are texts in a module, because a module that is loaded over the network has no files next to it.
 *
 * @module
 */

import { manifest, type OwnPackage, type ProjectFile, type ProjectRuntime, PROJECTS } from "./runtimes.ts";
import { deployFiles } from "./deploy.ts";
import { VERSION } from "../../core/version.ts";
import { APP_FILE, type Template } from "./templates.ts";

const CONFIG =
  `/** Settings of the command "tsgi". Its options and the variables TSGI_* win over them: "tsgi --help" has all. */

export default {
  accessLogfile: "-",
};
`;

const TSCONFIG = {
  compilerOptions: {
    target: "ES2023",
    module: "NodeNext",
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    erasableSyntaxOnly: true,
    verbatimModuleSyntax: true,
    types: ["node"],
  },
};

/** The files of a project, with `own`, the copy of tsgi, among them. */
export function projectFiles(
  runtime: ProjectRuntime,
  name: string,
  template: Template,
  own: OwnPackage | null,
): ProjectFile[] {
  const { manifest: file } = PROJECTS[runtime];
  return [
    { path: APP_FILE, what: "the application", text: template.app },
    { path: "app.test.ts", what: "its test", text: template.test },
    { path: "tsgi.config.ts", what: "settings of the command", text: CONFIG },
    { path: file, what: "what it needs, and how it is started", text: manifest(runtime, name, template, own) },
    ...(runtime === "deno" ? [] : [
      { path: "tsconfig.json", what: "options of the compiler", text: `${JSON.stringify(TSCONFIG, null, 2)}\n` },
      { path: ".gitignore", what: "what does not belong in the repository", text: "node_modules/\n" },
    ]),
    { path: "README.md", what: "how to run and deploy it", text: readme(runtime, name, template, own) },
    ...deployFiles(runtime, name, own),
    ...(own === null ? [] : own.files),
  ];
}

function readme(runtime: ProjectRuntime, name: string, { what }: Template, own: OwnPackage | null): string {
  const { manifest: file, install, test, start, dev } = PROJECTS[runtime];
  const rows: [string, string][] = [
    ...(install === null ? [] : [[install, "once"] as [string, string]]),
    [test, "runs the tests"],
    [dev, "serves, and reloads when a file changes"],
    [start, "serves on http://127.0.0.1:8000/ with two workers"],
  ];
  const width = Math.max(...rows.map(([command]) => command.length));
  const commands = rows.map(([command, does]) => `${command.padEnd(width)}  # ${does}\n`).join("");
  return `# ${name}

${what}, \`${APP_FILE}\`, which [tsgi](https://www.npmjs.com/package/tsgi)
serves with worker processes.

\`\`\`sh
${commands}\`\`\`

Where the environment variable \`PORT\` is set, it is served on that port of
every interface, not of 127.0.0.1 only. \`-b 127.0.0.1:3000\` says both.
${own === null ? "" : copyNote(runtime, own)}
Settings are in \`tsgi.config.ts\`. Each is also an option of the command
\`tsgi\` and a variable: \`workers\`, \`--workers\`, \`TSGI_WORKERS\`. An option wins
over both: \`-w 2\` in \`${file}\`, \`--workers auto\` in the unit below.

## Deploy

With systemd and nginx, on a server that has the project in
\`/srv/${name}\`${install === null ? "" : `, after \`${install}\` there`}:

\`\`\`sh
cp deploy/${name}.service deploy/${name}.socket /etc/systemd/system/
systemctl daemon-reload
systemctl enable --now ${name}.socket ${name}.service
cp deploy/nginx.conf /etc/nginx/conf.d/${name}.conf  # set server_name first
systemctl reload nginx
\`\`\`

\`systemctl reload ${name}\` takes new code and settings without losing a request.

Or in a container:

\`\`\`sh
docker build -t ${name} .
docker run -p 127.0.0.1:8000:8000 ${name}
\`\`\`

\`docker run -e TSGI_WORKERS=4\` starts four workers in place of one.

The image runs the command under tini. An image without an init needs
\`docker run --init\`, or \`init: true\` in a compose file. Signals belong to the
command itself, as in the Dockerfile and the unit: npm and npx may keep them.
`;
}

/** Explains the copy of tsgi, and how to do without it. */
function copyNote(runtime: ProjectRuntime, { folder }: OwnPackage): string {
  const { manifest: file } = PROJECTS[runtime];
  const entry = runtime === "deno"
    ? `replace the entries of
\`imports\` in \`${file}\` that begin with \`./${folder}\` by
\`"tsgi": "jsr:@tsgi/tsgi@^${VERSION}"\``
    : `replace its entry in
\`${file}\` by \`"tsgi": "^${VERSION}"\`, install again`;
  return `
\`${folder}/\` is the tsgi that made this project, because no registry has it.
It belongs to the repository. Once tsgi is published, ${entry},
and delete the folder.
`;
}
