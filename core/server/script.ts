/**
 * Runs an application as a CGI script (RFC 3875). The request comes from the process environment and standard input; the
 * response goes to standard output.
 *
 * Only the request variables of RFC 3875 and of common web servers enter the environ. The rest of the process environment
 * belongs to the program: a response must not be able to reveal it, and a client must not be able to override it.
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

const LONGEST_TIMER = 0x7fffffff; // ms: setTimeout treats a longer delay as 1

/** The services of a runtime for a script. */
export interface ScriptHost extends Pick<Host, "latin1" | "turn"> {
  /** The process environment: names and values, latin-1. */
  variables(): Iterable<readonly [name: string, value: string]>;
  /** Opens the standard streams. Settles when the connection has ended its output or was cut off. */
  open(accept: (transport: Transport) => Connection): Promise<void>;
}

const NAMES: ReadonlySet<string> = new Set([
  ...["AUTH_TYPE", "CONTENT_LENGTH", "CONTENT_TYPE", "GATEWAY_INTERFACE", "PATH_INFO", "PATH_TRANSLATED"],
  ...["QUERY_STRING", "REQUEST_METHOD", "SCRIPT_NAME", "DOCUMENT_ROOT", "DOCUMENT_URI", "HTTPS"],
  ...["REQUEST_SCHEME", "REQUEST_URI", "SCRIPT_FILENAME", "SCRIPT_URI", "SCRIPT_URL", "UNIQUE_ID"],
]);
const PREFIXES = /^(?:HTTP|REMOTE|SERVER|SSL|REDIRECT|CONTEXT)_/;

/**
 * Runs an application for the single request of this process. Settles when the response has been written and the body
 * has been closed.
 *
 * @returns whether the response is complete and came from the application.
 * @throws {ApplicationError} (as a rejection) when `app` is not an application.
 */
export async function runScript(host: ScriptHost, app: Application, all: Settings): Promise<boolean> {
  const errors = new ErrorStream(all.errorLog);
  let closed = (): void => {};
  const released = new Promise<void>((resolve) => closed = resolve);
  const gateway: Gateway = { ...createGateway(app, errors, all, host), closed };
  if (all.accessLog !== undefined) {
    gateway.log = (await import("../gateway/access_log.ts")).responseLog(all.accessLog, errors);
  }
  const config: WireConfig = {
    ...all,
    gateway,
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
  const wire: OneRequestWire = { format: await scriptFormat(pairs) };
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

/** Waits for the work that continues after the response, at most `seconds`. */
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

/** The format of the response: HTTP for a script named `nph-...`, whose output is passed on unchanged (RFC 3875 5). */
async function scriptFormat(pairs: Pairs): Promise<OneRequestWire["format"]> {
  const path = pairs.findLast(([name]) => name === "SCRIPT_NAME")?.[1] ?? "";
  if (!/\/nph-[^/]*$/.test(path)) return () => ({ head: serializeCgiHead, refusal: cgiRefusal });
  return (await import("../wires/cgi/http_format.ts")).httpFormat;
}
