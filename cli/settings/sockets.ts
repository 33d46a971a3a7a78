/**
 * Settings: what is served, where, and what is spoken there.
 *
 * @module
 */

import { type Bind, bindKind } from "../bind.ts";
import { choice, integer, list, octal, optional, text } from "./kinds.ts";
import type { Topic } from "./setting.ts";
import { isMountPoint } from "../../core/grammar.ts";
import { parseIps } from "../../core/peers.ts";

/** The settings of this topic. */
export interface SocketSettings {
  /** Addresses to listen on. */
  bind: readonly Bind[];
  /** File mode of Unix sockets. */
  socketMode: number | null;
  /** Connections the system holds. */
  backlog: number | null;
  /** What is spoken. */
  protocol: "http" | "fastcgi" | "scgi" | "uwsgi";
  /** Who may connect. */
  allowIps: readonly string[] | null;
  /** SCRIPT_NAME. */
  scriptName: string;
  /** wsgi.url_scheme. */
  urlScheme: "http" | "https";
  /** Value of the Server field. */
  serverHeader: string;
}

const network = text("ADDRESS", 'addresses and networks, or "*"', (given) => given === "*" || parseIps(given) !== null);

/** The settings of this topic. */
export const sockets: Topic<SocketSettings> = {
  bind: {
    kind: list(bindKind, 1),
    short: "b",
    default: [{ kind: "tcp", host: "127.0.0.1", port: 8000 }],
    defaultText: "127.0.0.1:8000; with PORT in the environment 0.0.0.0:$PORT",
    restart: true,
    help:
      "Where to listen. `HOST:PORT`, `[::1]:PORT`, `unix:PATH`, or `fd://N` for a descriptor that listens already; " +
      "repeat the option for several. Port 0 takes a free one. Sockets that systemd hands over take precedence.",
  },
  socketMode: {
    kind: optional(octal("a file mode")),
    default: null,
    defaultText: "777 for HTTP, 660 for the others, without what `--umask` takes",
    restart: true,
    help:
      "File mode of Unix sockets, in octal: whoever may write may connect. Over FastCGI, SCGI and uwsgi a peer can " +
      "claim to be any user. Owner and group of the socket are those of `--user` and `--group`.",
  },
  backlog: {
    kind: optional(integer(1, 65535)),
    default: null,
    defaultText: "the runtime's, 511",
    restart: true,
    help: "Connections that the system holds until they are accepted. Bun has 512 and takes no other.",
  },
  protocol: {
    kind: choice("http", "fastcgi", "scgi", "uwsgi"),
    default: "http",
    restart: true, // the mode of Unix sockets goes by it
    help: "What is spoken: HTTP with clients, or what the web server in front speaks.",
  },
  allowIps: {
    kind: optional(list(network, 1)),
    default: null,
    defaultText: "everybody for HTTP, this machine for the others",
    help: 'Who may connect over TCP. Addresses and networks such as `10.0.0.0/8`, or `"*"` for everybody.',
  },
  scriptName: {
    kind: text(
      "PATH",
      'a path that begins with "/" and does not end with one, or ""',
      isMountPoint,
    ),
    default: "",
    help: "Where the application is mounted: SCRIPT_NAME.",
  },
  urlScheme: {
    kind: choice("http", "https"),
    default: "http",
    help: "`wsgi.url_scheme`. `https` behind a front end that ends TLS.",
  },
  serverHeader: {
    kind: text("TEXT", "latin-1 text without control characters", (given) => /^[\x20-\x7e\xa0-\xff]*$/.test(given)),
    default: "",
    defaultText: "none is sent",
    help: "Value of the Server response field.",
  },
};
