/**
 * HUP under load behind nginx, which keeps connections to the workers open: no request may fail, least of all a POST,
 * which nginx does not send a second time.
 */

import { Agent, request } from "node:http";
import { describe, expect, it } from "vitest";
import { runtimes, withCommand } from "../cli/command.ts";
import { block, substituted } from "./documented.ts";
import { Instance } from "./instance.ts";
import { nginx } from "./programs.ts";

const CLIENTS = 8;
const RELOADS = 2;

const APP = `
export async function app(environ, startResponse) {
  const body = await environ["wsgi.input"].read();
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return [body];
}
`;

function post(port: number, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { "Content-Type": "text/plain", "Content-Length": "4" };
    const asked = request({ host: "127.0.0.1", port, method: "POST", path: "/", agent, headers }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode ?? 0)).on("error", reject);
    });
    asked.on("error", reject).end("body");
  });
}

describe.each(runtimes)("%s", (runtime) => {
  it("14.13 FastCGI with keep-alive behind nginx: HUP fails no POST", async () => {
    const args = ["-w", "2", "--protocol", "fastcgi", "--drain-idle", "0.5", "app.mjs:app"];
    await withCommand(runtime, { args, files: { "app.mjs": APP } }, async (command) => {
      const front = await Instance.start({
        name: "nginx-fastcgi-reload",
        ports: 1,
        errorLog: "error.log",
        prepare: (directory, [port]) => {
          const config = { "listen 80;": `listen 127.0.0.1:${port};`, "127.0.0.1:9000": `127.0.0.1:${command.port}` };
          return nginx(directory, substituted(block("fastcgi.md", "nginx"), config));
        },
      });
      const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
      try {
        const statuses = new Map<number, number>();
        let over = false;
        const ask = async (): Promise<void> => {
          while (!over) {
            const status = await post(front.ports[0]!, agent);
            statuses.set(status, (statuses.get(status) ?? 0) + 1);
          }
        };
        const asking = Promise.all(Array.from({ length: CLIENTS }, ask));
        for (let reload = 1; reload <= RELOADS; reload++) {
          command.kill("SIGHUP");
          await command.logged(/All workers are ready/, reload + 1);
          await command.logged(/Worker exited/, 2 * reload);
        }
        over = true;
        await asking;
        console.log(`${runtime}: ${JSON.stringify([...statuses])} over ${RELOADS} reloads`);
        expect([...statuses.keys()], front.log.slice(-2000)).toEqual([200]);
        expect(statuses.get(200)).toBeGreaterThan(100);
      } finally {
        agent.destroy();
        await front.stop();
      }
    });
  }, 60_000);
});
