/**
 * A program with a Python application as docs/python.md has it, for the tests of its end: it closes nothing. With `serve`
 * it serves until a signal comes. With `call` it calls the application once by the test client.
 */

import process from "node:process";
import { fromPython } from "../../../bridges/python.ts";
import { serve } from "../../../mod.ts";
import { projectPath } from "../../server_process.ts";
import { client } from "../../../testing/mod.ts";

const app = fromPython("suite:application", {
  python: "/usr/bin/python3",
  cwd: projectPath("tests/bridges/python"),
  processes: 2,
});
if (process.argv[2] === "call") {
  const { status } = await client(app).get("/facts"); // it waits for the processes
  await app.reload();
  console.log(JSON.stringify({ status, pids: app.pids }));
} else {
  await app.ready;
  const server = await serve(app, { port: 0, onListen: () => {} });
  console.log(JSON.stringify({ port: server.address.port, pids: app.pids }));
}
