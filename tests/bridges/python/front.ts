/**
 * nginx in front of the FastCGI, SCGI and uwsgi ports of a server.
 */

import { Instance } from "../../front/instance.ts";
import { nginx } from "../../front/programs.ts";

const PARAMETERS = [
  "REQUEST_METHOD $request_method",
  'SCRIPT_NAME ""',
  "PATH_INFO $document_uri",
  "QUERY_STRING $query_string",
  "REQUEST_URI $request_uri",
  "CONTENT_TYPE $content_type",
  "SERVER_NAME $host",
  "SERVER_PORT $server_port",
  "SERVER_PROTOCOL $server_protocol",
  "REMOTE_ADDR $remote_addr",
  "REMOTE_PORT $remote_port",
];
const WIRES = ["fastcgi", "scgi", "uwsgi"] as const;

/** Starts nginx; its ports are in the order FastCGI, SCGI, uwsgi. */
export function front(ports: Readonly<Record<(typeof WIRES)[number], number>>): Promise<Instance> {
  const server = (wire: (typeof WIRES)[number], port: number): string => {
    const to = `127.0.0.1:${ports[wire]}`;
    const rest = wire === "scgi" ? [] : [`${wire}_buffering off;`, `${wire}_request_buffering off;`];
    return `server { listen 127.0.0.1:${port}; server_name localhost; client_max_body_size 0; location / {
      ${
      [
        `${wire}_pass ${to};`,
        ...rest,
        ...[...PARAMETERS, wire === "scgi" ? "SCGI 1" : "CONTENT_LENGTH $content_length"].map((one) =>
          `${wire}_param ${one};`
        ),
      ].join("\n")
    } } }`;
  };
  return Instance.start({
    name: "nginx-python",
    ports: WIRES.length,
    prepare: (directory, free) => nginx(directory, WIRES.map((wire, i) => server(wire, free[i] as number)).join("\n")),
    errorLog: "error.log",
  });
}
