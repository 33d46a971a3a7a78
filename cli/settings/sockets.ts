/**
 * Settings: the sockets, their protocol, and the mount point of the application.
 *
 * @module
 */

import { type Bind, bindKind } from "../bind.ts";
import { list, octal, optional } from "./kinds.ts";
import { served, type ServedSettings } from "./served.ts";
import type { Topic } from "./setting.ts";

/** The settings of this topic. */
export interface SocketSettings extends
  Pick<
    ServedSettings,
    | "backlog"
    | "protocol"
    | "allowIps"
    | "proxyProtocol"
    | "proxyAllowFrom"
    | "forwardedAllowIps"
    | "forwardedHeaders"
    | "scriptName"
    | "urlScheme"
    | "serverHeader"
  > {
  /** Addresses to listen on. */
  bind: readonly Bind[];
  /** File mode of Unix sockets. */
  socketMode: number | null;
}

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
  ...served(
    "backlog",
    "protocol",
    "allowIps",
    "proxyProtocol",
    "proxyAllowIps",
    "forwardedAllowIps",
    "forwardedHeaders",
    "scriptName",
    "urlScheme",
    "serverHeader",
  ),
};
