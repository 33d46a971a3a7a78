/**
 * A CGI script (RFC 3875): one request, of the process environment and standard input, answered on standard output.
 *
 * Only what RFC 3875 and web servers call request variables enters the environ. The rest of the process environment is
 * the program's own: a request must not be able to show it, nor a client to shadow it.
 *
 * @module
 */

import type { Application } from "../contract/types.ts";
import { serverTemplate } from "../contract/environ.ts";
import { ErrorStream } from "../contract/error_stream.ts";
import { createGateway, type Gateway } from "../gateway/gateway.ts";
import type { Settings } from "./options.ts";
import type { Connection, Host, Transport } from "../seams.ts";
import type { WireConfig } from "../wires/wire.ts";
import { OneRequestConnection, type OneRequestWire } from "../wires/cgi/connection.ts";
import { cgiRefusal, serializeCgiHead } from "../wires/cgi/response.ts";
import { Variables } from "../wires/cgi/variables.ts";

const LONGEST_TIMER = 0x7fffffff; // ms: more is taken for 1

/** What a runtime gives to a script. */
export interface ScriptHost extends Pick<Host, "latin1" | "turn"> {
  /** The process environment: names and values, latin-1. */
  variables(): Iterable<readonly [name: string, value: string]>;
  /** Opens the standard streams; settles when the connection has ended output, or was cut off. */
  open(accept: (transport: Transport) => Connection): Promise<void>;
}

const NAMES: ReadonlySet<string> = new Set([
  ...["AUTH_TYPE", "CONTENT_LENGTH", "CONTENT_TYPE", "GATEWAY_INTERFACE", "PATH_INFO", "PATH_TRANSLATED"],
  ...["QUERY_STRING", "REQUEST_METHOD", "SCRIPT_NAME", "DOCUMENT_ROOT", "DOCUMENT_URI", "HTTPS"],
  ...["REQUEST_SCHEME", "REQUEST_URI", "SCRIPT_FILENAME", "SCRIPT_URI", "SCRIPT_URL", "UNIQUE_ID"],
]);
const PREFIXES = /^(?:HTTP|REMOTE|SERVER|SSL|REDIRECT|CONTEXT)_/;

/**
 * Runs an application for the one request of this process; settles when the response has been written and the body
 * has been closed.
 *
 * @returns whether the response is complete, and the application's own.
 * @throws {ApplicationError} (as a rejection) when `app` is no application.
 */
export async function runScript(host: ScriptHost, app: Application, all: Settings): Promise<boolean> {
  const errors = new ErrorStream(all.errorLog);
  let closed = (): void => {};
  const released = new Promise<void>((resolve) => closed = resolve);
  const config: WireConfig = {
    ...all,
    gateway: { ...createGateway(app, errors, all, host), closed },
    template: serverTemplate({
      serverName: "localhost",
      serverPort: all.urlScheme === "https" ? "443" : "80",
      scheme: all.urlScheme,
      multiprocess: true, // the web server runs as many scripts as there are requests
      runOnce: true,
      errors,
    }),
    latin1: (bytes, start, end) => host.latin1(bytes, start, end),
    forget: () => {},
    adopt: (_old, next) => next, // never called: a script has no socket to give away
  };
  const pairs = [...host.variables()].filter(([name]) => NAMES.has(name) || PREFIXES.test(name));
  const wire: OneRequestWire = { script: true, format: await scriptFormat(pairs) };
  let connection: OneRequestConnection | undefined;
  await host.open((transport) => {
    connection = new OneRequestConnection(transport, config, wire);
    connection.start(() => variablesOf(pairs));
    return connection;
  });
  if (connection?.called === true) await released;
  await behind(config.gateway, all.gracefulTimeout);
  return connection?.failed === false;
}

/** Waits for what goes on behind the response, at most `seconds`. */
async function behind({ background, errors }: Gateway, seconds: number): Promise<void> {
  if (background.size === 0) return;
  let timer: ReturnType<typeof setTimeout> | undefined;
  await new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(seconds * 1000, LONGEST_TIMER));
    background.whenIdle(resolve);
  });
  clearTimeout(timer);
  if (background.size > 0) errors.write(`tsgi: ${background.size} promises of waitUntil have not settled in time\n`);
}

type Pairs = readonly (readonly [name: string, value: string])[];

function variablesOf(pairs: Pairs): Variables {
  const variables = new Variables();
  for (const [name, value] of pairs) variables.add(name, value);
  return variables;
}

/** The web server passes on what a script called `nph-...` writes as it is (RFC 3875 5): then it is HTTP. */
async function scriptFormat(pairs: Pairs): Promise<OneRequestWire["format"]> {
  const path = pairs.findLast(([name]) => name === "SCRIPT_NAME")?.[1] ?? "";
  if (!/\/nph-[^/]*$/.test(path)) return () => ({ head: serializeCgiHead, refusal: cgiRefusal });
  return (await import("../wires/cgi/http_format.ts")).httpFormat;
}
