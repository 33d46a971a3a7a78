/**
 * The application under test: a dispatcher over small applications, and the servers it is put behind.
 *
 * The first segment of PATH_INFO names the small application; a path that names none shows its environ, so that any
 * path can be tested. The dispatcher changes nothing: environ, startResponse and the body pass as they are.
 *
 * @module
 */

import process from "node:process";
import type { Application, ApplicationFunction, Body, Environ, StartResponse } from "../../../core/contract/types.ts";
import type { TlsOptions } from "../../../core/server/serve_options.ts";
import { bodyTable } from "./body.ts";
import { environTable } from "./environ.ts";
import { errorTable } from "./errors.ts";
import { fileTable } from "./file_wrapper.ts";
import { headTable } from "./head.ts";
import { inputTable } from "./input.ts";
import { bump, control, counted, type Entry, entryOf, errorLog, gate, type Table } from "./record.ts";
import { startResponseTable } from "./start_response.ts";

const table: Table = {
  ...environTable,
  ...inputTable,
  ...startResponseTable,
  ...bodyTable,
  ...errorTable,
  ...headTable,
  ...fileTable,
};

/** The dispatcher. */
export const app: ApplicationFunction = (
  environ: Environ,
  startResponse: StartResponse,
): ReturnType<ApplicationFunction> => {
  const name = environ.PATH_INFO.split("/")[1] ?? "";
  const query = new URLSearchParams(environ.QUERY_STRING);
  const entry = entryOf(query.get("key") ?? "");
  if (Object.hasOwn(control, name)) return control[name]!(environ, startResponse, query, entry);
  bump(entry, "calls");
  const small = Object.hasOwn(table, name) ? table[name]! : environTable.environ!;
  return small(environ, startResponse, query, entry);
};

/** The class form: constructed for each request, then iterated, then closed. */
class ClassApp implements Iterable<string> {
  #environ: Environ;
  #startResponse: StartResponse;

  constructor(environ: Environ, startResponse: StartResponse) {
    this.#environ = environ;
    this.#startResponse = startResponse;
  }

  *[Symbol.iterator](): Generator<string> {
    this.#startResponse("200 OK", [["Content-Type", "text/plain"]]);
    yield "class ";
    yield this.#environ.PATH_INFO;
  }

  close(): void {
    bump(entryOf(new URLSearchParams(this.#environ.QUERY_STRING).get("key") ?? ""), "closed");
  }
}

/** The class form with an async body. */
class AsyncClassApp implements AsyncIterable<string> {
  #startResponse: StartResponse;
  #entry: Entry;

  constructor(environ: Environ, startResponse: StartResponse) {
    this.#startResponse = startResponse;
    this.#entry = entryOf(new URLSearchParams(environ.QUERY_STRING).get("key") ?? "");
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    await gate(this.#entry);
    this.#startResponse("200 OK", [["Content-Type", "text/plain"]]);
    yield "async class";
  }
}

/** The object form: `this` must be the object. */
const objectApp = {
  greeting: "object ",
  wsgiApp(environ: Environ, startResponse: StartResponse): Body {
    startResponse("200 OK", [["Content-Type", "text/plain"]]);
    return counted(
      [this.greeting, environ.PATH_INFO],
      entryOf(new URLSearchParams(environ.QUERY_STRING).get("key") ?? ""),
    );
  },
};

/** One server of a cell: an application and its options. */
export interface Variant {
  readonly app: Application;
  readonly options: {
    readonly errorLog: (text: string) => void;
    readonly limitRequestBody?: number;
    readonly headerMap?: "drop" | "refuse" | "dangerous";
    readonly scriptName?: string;
    readonly tls?: TlsOptions;
  };
}

/** Name of a variant. */
export type VariantName = "main" | "class" | "asyncClass" | "object" | "mounted" | "limited" | "refuse" | "dangerous";

/** Every cell runs one server for each of these. */
export const variants: Readonly<Record<VariantName, Variant>> = {
  main: { app, options: { errorLog } },
  class: { app: ClassApp, options: { errorLog } },
  asyncClass: { app: AsyncClassApp, options: { errorLog } },
  object: { app: objectApp, options: { errorLog } },
  mounted: { app, options: { errorLog, scriptName: "/app" } },
  limited: { app, options: { errorLog, limitRequestBody: 1000 } },
  refuse: { app, options: { errorLog, headerMap: "refuse" } },
  dangerous: { app, options: { errorLog, headerMap: "dangerous" } },
};

/**
 * Starts every variant with `start`, which gives its port, and prints the ports as one line of JSON.
 *
 * With TSGI_PROTOCOL the variants speak that protocol, for a front end, and `control` is a server of plain HTTP beside
 * them, at which a test reaches what they remember. So it is with TSGI_TLS, the option `tls` in JSON.
 */
export async function announce(start: (variant: Variant) => Promise<number> | number): Promise<void> {
  const protocol = process.env["TSGI_PROTOCOL"];
  const spoken = protocol === undefined || protocol === "http" ? {} : { protocol };
  const tls = process.env["TSGI_TLS"];
  const secured = tls === undefined ? {} : { tls: JSON.parse(tls) as TlsOptions };
  const ports: Record<string, number> = {};
  for (const [name, { app, options }] of Object.entries(variants)) {
    ports[name] = await start({ app, options: { ...options, ...spoken, ...secured } });
  }
  const control = protocol === undefined && tls === undefined
    ? ports.main
    : await start({ app, options: { errorLog } });
  console.log(JSON.stringify({ port: ports.main, ports, control }));
}
