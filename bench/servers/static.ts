/**
 * Serves a folder: by `staticFiles`, or by an application that reads its file with one `readSync` for each request.
 *
 *     node bench/servers/static.ts k64 FOLDER staticFiles
 *
 * @module
 */

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import process from "node:process";
import { staticFiles } from "../../middleware/mod.ts";
import { type ApplicationFunction, serve } from "../../mod.ts";
import { ready } from "./jobs.ts";

const [, , _job, folder = "", which] = process.argv;

/** What a program does by itself: no conditions, no ranges, no check of the path. */
const byHand: ApplicationFunction = (environ, startResponse) => {
  const descriptor = openSync(`${folder}${environ.PATH_INFO}`, "r");
  try {
    const bytes = new Uint8Array(fstatSync(descriptor).size);
    readSync(descriptor, bytes, 0, bytes.length, 0);
    startResponse("200 OK", [["Content-Type", "application/octet-stream"]]);
    return [bytes];
  } finally {
    closeSync(descriptor);
  }
};

const app = which === "staticFiles" ? staticFiles(folder) : byHand;
await serve(app, { port: 0, keepAliveTimeout: 60, onListen: ({ port }) => ready(port) });
