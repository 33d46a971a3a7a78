/**
 * Finds nginx, Apache and haproxy, and writes the main config around a documented block.
 *
 * The main config corresponds to Debian's. It contains nothing that a page would have to mention.
 *
 * @module
 */

import { accessSync, chmodSync, constants, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { FrontProgram } from "./fronts.ts";

/** The programs that tests start. haproxy is no cell of the behaviour suite. */
type Program = FrontProgram | "haproxy";

const places: Readonly<Record<Program, readonly string[]>> = {
  nginx: ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"],
  apache: ["/usr/sbin/apache2"],
  haproxy: ["/usr/sbin/haproxy", "/usr/local/sbin/haproxy"],
};

/** The Debian package of each. */
export const packages: Readonly<Record<FrontProgram, string>> = { nginx: "nginx", apache: "apache2" };

/** Returns the path of a program, or null. */
export function find(program: Program): string | null {
  for (const path of places[program]) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // It is not in this directory.
    }
  }
  return null;
}

const root = process.getuid?.() === 0;

/** Writes the main config of nginx around server blocks. */
export function nginx(directory: string, servers: string): readonly [string, ...string[]] {
  const conf = join(directory, "nginx.conf");
  const temporary = ["client_body", "proxy", "fastcgi", "scgi", "uwsgi"].map((name) => {
    mkdirSync(join(directory, name));
    chmodSync(join(directory, name), 0o777);
    return `  ${name}_temp_path ${directory}/${name};`;
  });
  writeFileSync(
    conf,
    `daemon off;
worker_processes 1;
pid ${directory}/nginx.pid;
error_log ${directory}/error.log warn;
${root ? "user www-data;" : ""}
events { worker_connections 512; }
http {
  access_log off;
  server_names_hash_bucket_size 128;
${temporary.join("\n")}
${servers}
}
`,
  );
  return [find("nginx")!, "-p", directory, "-e", `${directory}/error.log`, "-c", conf];
}

/** What Debian enables by itself, without the modules that only protect or decorate files. */
const DEFAULT_MODULES = [
  "mpm_event",
  "authn_core",
  "authz_core",
  "authz_host",
  "alias",
  "autoindex",
  "deflate",
  "dir",
  "env",
  "filter",
  "mime",
  "negotiation",
  "reqtimeout",
  "setenvif",
];
const MODULES = "/usr/lib/apache2/modules";

/** Writes the main config of Apache around virtual hosts, with the modules that a page tells to enable. */
export function apache(
  directory: string,
  hosts: string,
  modules: readonly string[],
  ports: readonly number[],
): readonly [string, ...string[]] {
  const conf = join(directory, "apache2.conf");
  const lines = [
    ...[...new Set([...DEFAULT_MODULES, ...modules])].map((name) =>
      `LoadModule ${name}_module ${MODULES}/mod_${name}.so`
    ),
    ...ports.map((port) => `Listen 127.0.0.1:${port}`),
    ...(modules.includes("cgid") ? [`ScriptSock ${directory}/cgid.sock`] : []),
  ];
  writeFileSync(
    conf,
    `ServerRoot ${directory}
DefaultRuntimeDir ${directory}
PidFile ${directory}/apache2.pid
ErrorLog ${directory}/error.log
LogLevel warn
ServerName test.invalid
TypesConfig /dev/null
${root ? "User www-data\nGroup www-data" : ""}
${lines.join("\n")}
StartServers 1
ServerLimit 2
ThreadsPerChild 64
MaxRequestWorkers 128
<Directory />
  Options FollowSymLinks
  AllowOverride None
  Require all denied
</Directory>
${hosts}
`,
  );
  return [find("apache")!, "-f", conf, "-DFOREGROUND"];
}

/** Writes the config of haproxy. By itself it would share a port with another haproxy, and spread its first checks. */
export function haproxy(directory: string, config: string): readonly [string, ...string[]] {
  const conf = join(directory, "haproxy.cfg");
  const global = ["global", `stats socket ${directory}/stats.sock`, "noreuseport", "max-spread-checks 100ms"].join(
    "\n  ",
  );
  writeFileSync(conf, `${global}\n${config}`);
  return [find("haproxy")!, "-db", "-f", conf];
}
