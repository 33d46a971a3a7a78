/**
 * tsgi: on the runtime's own sockets, on node:net with `net`, or behind a web server with the name of a protocol.
 *
 * @module
 */

import process from "node:process";
import type { Protocol, TcpServeOptions } from "../../mod.ts";
import { applications, job, ready } from "./jobs.ts";

const how = process.argv[3] ?? "http";
const { serve } = await import(
  how === "net" ? "../../adapters/node.ts" : "../../mod.ts"
) as typeof import("../../mod.ts");
const options: TcpServeOptions = { port: 0, keepAliveTimeout: 60, onListen: ({ port }) => ready(port) };
await serve(applications[job()], how === "net" ? options : { ...options, protocol: how as Protocol });
