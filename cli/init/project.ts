/**
 * The files of a new project. The application, its test and the settings are the same on every runtime.
 *
 * The files are texts in a module, because a module that is loaded over the network has no files next to it.
 *
 * @module
 */

import { manifest, type ProjectFile, type ProjectRuntime, PROJECTS } from "./runtimes.ts";
import { deployFiles } from "./deploy.ts";
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

/** The files of a project. */
export function projectFiles(runtime: ProjectRuntime, name: string, template: Template): ProjectFile[] {
  const { manifest: file } = PROJECTS[runtime];
  return [
    { path: APP_FILE, what: "the application", text: template.app },
    { path: "app.test.ts", what: "its test", text: template.test },
    { path: "tsgi.config.ts", what: "settings of the command", text: CONFIG },
    { path: file, what: "what it needs, and how it is started", text: manifest(runtime, name, template) },
    ...(runtime === "deno" ? [] : [
      { path: "tsconfig.json", what: "options of the compiler", text: `${JSON.stringify(TSCONFIG, null, 2)}\n` },
      { path: ".gitignore", what: "what does not belong in the repository", text: "node_modules/\n" },
    ]),
    { path: "README.md", what: "how to run and deploy it", text: readme(runtime, name, template) },
    ...deployFiles(runtime, name),
  ];
}

function readme(runtime: ProjectRuntime, name: string, { what }: Template): string {
  const { manifest: file, install, test, start, dev } = PROJECTS[runtime];
  const rows: [string, string][] = [
    ...(install === null ? [] : [[install, "once"] as [string, string]]),
    [test, "runs the tests"],
    [dev, "serves, and reloads when a file changes"],
    [start, "serves on http://127.0.0.1:8000/, or the port in PORT, with two workers"],
  ];
  const width = Math.max(...rows.map(([command]) => command.length));
  const commands = rows.map(([command, does]) => `${command.padEnd(width)}  # ${does}\n`).join("");
  return `# ${name}

${what}, \`${APP_FILE}\`, which [tsgi](https://www.npmjs.com/package/tsgi)
serves with worker processes.

\`\`\`sh
${commands}\`\`\`

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
