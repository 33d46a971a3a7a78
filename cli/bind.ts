/**
 * Parses and formats addresses to listen on: `HOST:PORT`, `[::1]:PORT`, `:PORT`, `unix:PATH`, `fd://N`.
 *
 * @module
 */

import { CONTROL } from "../core/grammar.ts";
import type { Place } from "../core/seams.ts";
import type { Kind } from "./settings/setting.ts";

/** An address to listen on. */
export type Bind =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "fd"; readonly fd: number };

/**
 * Parses an address; undefined when the text is not one.
 *
 * A host without a port gets port 8000. A port without a host, `:8000`, listens on every IPv4 interface.
 */
export function parseBind(text: string): Bind | undefined {
  if (CONTROL.test(text)) return undefined;
  const unix = /^unix:(?:\/\/)?(.+)$/.exec(text);
  if (unix !== null) return { kind: "unix", path: unix[1] as string };
  const fd = /^fd:\/\/([0-9]{1,5})$/.exec(text);
  if (fd !== null) return { kind: "fd", fd: Number(fd[1]) };
  const match = /^(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^\s/:[\]]*))(?::([0-9]{1,5}))?$/.exec(text);
  if (match === null || /^[0-9]*$/.test(text)) return undefined; // a port alone would be taken for a host
  const host = match[1] ?? match[2] ?? "";
  const port = match[3] === undefined ? 8000 : Number(match[3]);
  if (port > 65535) return undefined;
  return { kind: "tcp", host: host === "" ? "0.0.0.0" : host, port };
}

/** Formats an address. */
export function bindText(bind: Bind): string {
  switch (bind.kind) {
    case "unix":
      return `unix:${bind.path}`;
    case "fd":
      return `fd://${bind.fd}`;
    case "tcp":
      return `${bind.host.includes(":") ? `[${bind.host}]` : bind.host}:${bind.port}`;
  }
}

/** The place to listen at. */
export function placeOf(bind: Bind): Place {
  switch (bind.kind) {
    case "unix":
      return { transport: "unix", path: bind.path };
    case "fd":
      return { transport: "fd", fd: bind.fd };
    case "tcp":
      return { transport: "tcp", hostname: bind.host, port: bind.port };
  }
}

/** The kind of settings whose value is an address. */
export const bindKind: Kind<Bind> = {
  expected: "HOST:PORT, [::1]:PORT, :PORT for every interface, unix:PATH or fd://N",
  metavar: "ADDRESS",
  parse: parseBind,
  check: (value) => typeof value === "string" ? parseBind(value) : undefined,
};
