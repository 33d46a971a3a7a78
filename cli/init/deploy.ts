/**
 * The deployment files of a new project: a service and its socket for systemd, a site for nginx, an image for Docker.
 *
 * systemd holds the socket, so that no connection is refused during a restart. nginx is in front; docs/deploy/http.md
 * explains each line of its configuration.
 *
 * @module
 */

import { VERSION } from "../../core/version.ts";
import { type OwnPackage, type ProjectFile, type ProjectRuntime, PROJECTS } from "./runtimes.ts";
import { APP_FILE } from "./templates.ts";

/** The deployment files. */
export function deployFiles(runtime: ProjectRuntime, name: string, own: OwnPackage | null): ProjectFile[] {
  return [
    { path: `deploy/${name}.service`, what: "the service, for systemd", text: service(runtime, name) },
    { path: `deploy/${name}.socket`, what: "its socket", text: socket(name) },
    { path: "deploy/nginx.conf", what: "a site for nginx", text: site(name) },
    { path: "Dockerfile", what: "an image", text: dockerfile(runtime, own) },
    { path: ".dockerignore", what: "files that are not copied into it", text: ".git\nnode_modules\ndeploy\n" },
  ];
}

function service(runtime: ProjectRuntime, name: string): string {
  // Only Deno needs LimitNOFILE: Node and Bun raise the number of open files to the hard limit by themselves.
  const cache = runtime === "deno"
    ? `CacheDirectory=${name}\nEnvironment=DENO_DIR=%C/${name}\n# Each connection is an open file.\nLimitNOFILE=16384\n`
    : "";
  return `[Unit]
Description=${name}
Requires=${name}.socket
After=network.target ${name}.socket

[Service]
Type=notify
# The command systemd-notify reports that the service is ready.
NotifyAccess=all
DynamicUser=yes
${cache}WorkingDirectory=/srv/${name}
# Outside production, some frameworks send stack traces to clients.
Environment=NODE_ENV=production
# systemd looks for ${runtime} in /usr/local/bin and /usr/bin, among others.
ExecStart=${PROJECTS[runtime].command.join(" ")} --workers auto ${APP_FILE}
ExecReload=/bin/kill -HUP $MAINPID
# The arbiter stops the workers. Running requests have 30 s to finish.
KillMode=mixed
TimeoutStopSec=40
Restart=on-failure
PrivateTmp=yes
ProtectHome=yes

[Install]
WantedBy=multi-user.target
`;
}

function socket(name: string): string {
  return `[Unit]
Description=Socket of ${name}

[Socket]
ListenStream=127.0.0.1:8000

[Install]
WantedBy=sockets.target
`;
}

function site(name: string): string {
  const id = name.replaceAll("-", "_");
  return `# In /etc/nginx/conf.d/. nginx ends TLS: certbot --nginx adds the certificate here.

upstream ${id} {
    server 127.0.0.1:8000;
    keepalive 16;
}

# $host is the name that the client asked for, without the port.
map $http_host $${id}_port {
    "~(:[0-9]+)$" $1;
    ""            ":$server_port";
    default       "";
}

# An Upgrade (WebSocket) is passed on. Otherwise connections to the server are kept open.
map $http_upgrade $${id}_connection {
    ""      "";
    default upgrade;
}

server {
    listen 80;
    server_name example.org;

    location / {
        proxy_pass http://${id};
        proxy_http_version 1.1;
        proxy_set_header Host $host$${id}_port;
        proxy_set_header Connection $${id}_connection;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_pass_header Date;
        proxy_pass_header Server;

        # Responses and uploads pass without buffering. The limit of a body is tsgi's limitRequestBody.
        proxy_buffering off;
        proxy_request_buffering off;
        client_max_body_size 0;
    }
}
`;
}

/**
 * In a container the server listens on all interfaces, because PORT is set; docker publishes the port where `-p` names
 * it. A platform may set another PORT.
 */
const REST = `ENV NODE_ENV=production PORT=8000
EXPOSE 8000
`;

/** An init, which reaps orphaned processes and forwards signals. A server that is process 1 does not reap orphans. */
const INIT = `# tini is process 1: it waits for processes whose parents have ended.
RUN apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["/usr/bin/tini", "--"]
`;

function dockerfile(runtime: ProjectRuntime, own: OwnPackage | null): string {
  const copy = own === null ? "" : `COPY ${own.folder} ${own.folder}\n`; // the manifest refers to it
  const command = `CMD ${JSON.stringify([...PROJECTS[runtime].command, APP_FILE])}\n`;
  // "deno cache" does not take names of the import map.
  const cli = own === null ? `jsr:@tsgi/tsgi@^${VERSION}/cli` : own.imports["tsgi/cli"];
  switch (runtime) {
    case "node":
      return `FROM node:24-slim
${INIT}WORKDIR /srv/app
COPY package*.json ./
${copy}RUN npm install --omit=dev
COPY . .
USER node
${REST}${command}`;
    case "deno":
      return `# This image has tini as process 1: it waits for processes whose parents have ended.
FROM denoland/deno:2.9.6
WORKDIR /srv/app
COPY . .
RUN deno cache ${APP_FILE} ${cli} && chown -R deno:deno /deno-dir
USER deno
${REST}${command}`;
    case "bun":
      return `FROM oven/bun:1-slim
${INIT}WORKDIR /srv/app
COPY package.json bun.lock* ./
${copy}RUN bun install --production
COPY . .
USER bun
${REST}${command}`;
  }
}
