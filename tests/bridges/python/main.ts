/**
 * Serves a Python application over every wire, for the tests. Prints the ports, and the ids of the Python processes when
 * they have changed. The arguments are options of `fromPython` as JSON. SIGHUP reloads; SIGTERM closes.
 */

import process from "node:process";
import { fromPython } from "../../../bridges/python.ts";
import { type ApplicationFunction, serve } from "../../../mod.ts";
import { projectPath } from "../../server_process.ts";

const [application = "", options = "{}"] = process.argv.slice(2);
const app = fromPython(application, {
  python: "/usr/bin/python3",
  cwd: projectPath("tests/bridges/python"),
  ...JSON.parse(options),
});
await app.ready;
/** Marks what is written to `wsgi.errors` of a request whose query string is a tag. */
const tagged: ApplicationFunction = (environ, startResponse) => {
  const { QUERY_STRING: tag, "wsgi.errors": errors } = environ;
  if (tag.startsWith("tag-")) {
    environ["wsgi.errors"] = {
      write: (text) => errors.write(`[${tag}] ${text}`),
      writelines: (texts) => errors.writelines(texts),
      flush: () => errors.flush(),
    } as typeof errors;
  }
  return app(environ, startResponse);
};
const ports: Record<string, number> = {};
const servers = await Promise.all((["http", "fastcgi", "scgi", "uwsgi"] as const).map(async (protocol) => {
  const server = await serve(tagged, { port: 0, protocol, onListen: () => {}, handleSignals: false });
  ports[protocol] = server.address.port;
  return server;
}));
const tell = (what: Record<string, unknown>): void => console.log(JSON.stringify({ ...what, pids: app.pids }));
process.on(
  "SIGHUP",
  () => void app.reload().then(() => tell({ reload: "loaded" }), (error) => tell({ reload: error.message })),
);
process.on("SIGTERM", async () => {
  await Promise.all(servers.map((server) => server.shutdown({ timeout: 2 })));
  await app.close({ timeout: 2 });
  tell({ closed: true });
  process.exit(0);
});
tell({ ports });
