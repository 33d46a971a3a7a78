/**
 * Measures CGI under Apache in milliseconds per request: tsgi in its different packagings, and Python's wsgiref.
 *
 *     npm run bench:cgi -- --runtime node,deno,bun --rounds 20
 *
 * One Apache with mod_cgid has a path for each script. Requests are sent one after the other, each starts a new
 * process, and the scripts take turns. Each script has its own caches, since it must not need files that the web
 * server's user cannot access.
 *
 * @module
 */

import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import process from "node:process";
import { Instance, ownDirectory } from "../tests/front/instance.ts";
import { apache, find, packages } from "../tests/front/programs.ts";
import { projectPath, type Runtime } from "../tests/server_process.ts";
import { closeCache, installShared, installVariant } from "./cgi/install.ts";
import { variants } from "./cgi/variants.ts";
import { runtimes as known } from "./contestants.ts";
import { commandLine, count, members } from "./command_line.ts";
import { machine } from "./machine.ts";
import { median, ranged, ratios, short } from "./statistics.ts";
import { HELLO } from "./workloads.ts";

const FILL = 3; // uncounted requests that fill the caches
const given = commandLine("npm run bench:cgi -- [--runtime node,deno,bun] [--rounds 20] [--out bench/results]", {
  runtime: known.join(","),
  rounds: "20",
  out: projectPath("bench/results"),
});
const rounds = count("rounds", given.rounds);
const runtimes = members("runtime", given.runtime, known);
const taking = variants.filter(({ runtime }) => runtime === null || runtimes.includes(runtime));

/** Sends one request; resolves to the milliseconds it took. */
function ask(port: number, path: string): Promise<number> {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path, agent: false }, (response) => {
      let body = "";
      response.setEncoding("latin1").on("data", (part: string) => body += part);
      response.once("end", () => {
        const took = performance.now() - begun;
        const type = response.headers["content-type"];
        if (response.statusCode === 200 && body === HELLO && type === "text/plain") resolve(took);
        else reject(new Error(`${response.statusCode} ${type}: ${body.slice(0, 200)}`));
      });
    });
    asked.once("error", reject).end();
  });
}

function startApache(root: string, scripts: readonly string[]): Promise<Instance> {
  return Instance.start({
    name: "bench-cgi",
    ports: 1,
    errorLog: "error.log",
    env: { PATH: `${join(root, "bin")}:/usr/bin:/bin` },
    prepare: (directory, ports) => {
      const aliases = scripts.map((script, i) => `ScriptAlias "/v${i}" "${script}"`);
      const hosts = `${aliases.join("\n")}\n<Directory "${root}/app">\n  Require all granted\n</Directory>`;
      return apache(directory, hosts, ["cgid"], ports);
    },
  });
}

if (find("apache") === null) {
  console.error(`There is no apache2: apt-get install ${packages.apache}`);
  process.exit(1);
}
const root = ownDirectory("bench-cgi");
let front: Instance | undefined;
const times = taking.map((): number[] => []);
const failures = new Map<number, string>();
try {
  installShared(root, [...new Set<Runtime>([...runtimes])]);
  const scripts = taking.map((variant, i) => installVariant(root, variant, i));
  front = await startApache(root, scripts);
  const [port] = front.ports as [number];
  for (const [i, { cache }] of taking.entries()) {
    try {
      for (let n = 0; n < FILL; n++) await ask(port, `/v${i}`);
      if (cache === "read-only") closeCache(root, i);
      await ask(port, `/v${i}`);
    } catch (error) {
      failures.set(i, `${String(error)}\n${front.log.slice(-600)}`);
    }
  }
  for (let n = 0; n < rounds; n++) {
    for (const i of taking.keys()) if (!failures.has(i)) times[i]!.push(await ask(port, `/v${i}`));
  }
} finally {
  await front?.stop();
  rmSync(root, { recursive: true, force: true });
}

const lines = ["| script | median ms | least ms | over Python (least-most) |", "| --- | ---: | ---: | ---: |"];
for (const [i, { name }] of taking.entries()) {
  if (failures.has(i)) continue;
  const own = times[i]!;
  const over = ratios(own, times[0]!);
  lines.push(`| ${name} | ${short(median(own))} | ${short(Math.min(...own))} | ${ranged(over)} |`);
}
mkdirSync(given.out, { recursive: true });
const results = taking.map((variant, i) => ({ ...variant, times: times[i], failure: failures.get(i) }));
const when = new Date().toISOString().slice(0, 10);
const about = machine({ apache2: ["-v"], python3: ["--version"] });
writeFileSync(join(given.out, "cgi.json"), `${JSON.stringify({ when, machine: about, rounds, results }, null, 1)}\n`);
console.log([...lines, ...[...failures].map(([i, why]) => `FAILED: ${taking[i]!.name}: ${why}`)].join("\n"));
if (failures.size > 0) process.exitCode = 1;
