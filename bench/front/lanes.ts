/**
 * The lanes, as data: each is a protocol that nginx uses to the server behind it.
 *
 * All lanes have the same variables and buffering, and nginx's defaults except for what the protocol needs. So only the
 * protocol differs. `http 1.0` is what a bare `proxy_pass` does: HTTP/1.0 and a new connection for each request. Only
 * FastCGI and HTTP/1.1 can keep connections.
 *
 * @module
 */

/** A way through nginx. */
export interface Lane {
  readonly name: string;
  /** The protocol of the server behind nginx. */
  readonly protocol: "http" | "fastcgi" | "scgi" | "uwsgi";
  /** Whether uWSGI (Python) runs behind nginx instead of tsgi. */
  readonly python?: true;
  /** Whether nginx keeps its connections to the server open. */
  readonly keeps: boolean;
  /** The directives of the location. */
  directives(upstream: string): readonly string[];
}

const VARIABLES: readonly (readonly [name: string, value: string])[] = [
  ["REQUEST_METHOD", "$request_method"],
  ["SCRIPT_NAME", '""'],
  ["PATH_INFO", "$document_uri"],
  ["QUERY_STRING", "$query_string"],
  ["REQUEST_URI", "$request_uri"],
  ["CONTENT_TYPE", "$content_type"],
  ["CONTENT_LENGTH", "$content_length"],
  ["SERVER_NAME", "$server_name"],
  ["SERVER_PORT", "$server_port"],
  ["SERVER_PROTOCOL", "$server_protocol"],
  ["REMOTE_ADDR", "$remote_addr"],
  ["REMOTE_PORT", "$remote_port"],
  ["REQUEST_SCHEME", "$scheme"],
];

function params(directive: string): string[] {
  return VARIABLES.map(([name, value]) => `${directive} ${name} ${value};`);
}

/** For SCGI, nginx adds CONTENT_LENGTH as the first variable by itself. */
function scgiParams(): string[] {
  return [...params("scgi_param").filter((line) => !line.includes("CONTENT_LENGTH")), "scgi_param SCGI 1;"];
}

/** All of them. */
export const lanes: readonly Lane[] = [
  {
    name: "fastcgi keep",
    protocol: "fastcgi",
    keeps: true,
    directives: (upstream) => [`fastcgi_pass ${upstream};`, "fastcgi_keep_conn on;", ...params("fastcgi_param")],
  },
  { name: "http 1.0", protocol: "http", keeps: false, directives: (upstream) => [`proxy_pass http://${upstream};`] },
  {
    name: "http 1.1 keep",
    protocol: "http",
    keeps: true,
    directives: (upstream) => [
      `proxy_pass http://${upstream};`,
      "proxy_http_version 1.1;",
      'proxy_set_header Connection "";',
    ],
  },
  {
    name: "scgi",
    protocol: "scgi",
    keeps: false,
    directives: (upstream) => [`scgi_pass ${upstream};`, ...scgiParams()],
  },
  {
    name: "uwsgi",
    protocol: "uwsgi",
    keeps: false,
    directives: (upstream) => [`uwsgi_pass ${upstream};`, ...params("uwsgi_param")],
  },
  {
    name: "uWSGI Python",
    protocol: "uwsgi",
    python: true,
    keeps: false,
    directives: (upstream) => [`uwsgi_pass ${upstream};`, ...params("uwsgi_param")],
  },
];

/** The upstream and server block of a lane. */
export function serverBlock(lane: Lane, index: number, port: number, backend: number): string {
  const upstream = `backend${index}`;
  return `upstream ${upstream} {
  server 127.0.0.1:${backend};
${lane.keeps ? "  keepalive 32;\n" : ""}}
server {
  listen 127.0.0.1:${port};
  location / {
    ${lane.directives(upstream).join("\n    ")}
  }
}`;
}
