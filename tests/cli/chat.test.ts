/** `examples/chat.ts` with two workers: what is said to one worker arrives at the clients of both. */

import { request } from "node:http";
import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { projectPath, runtimes, until, withCommand } from "./command.ts";

const SITE = `import process from "node:process";
import { app as chat } from ${JSON.stringify(projectPath("examples/chat.ts"))};

export const app = (environ, startResponse) =>
  chat(environ, (status, headers) => startResponse(status, [...headers, ["X-Worker", String(process.pid)]]));
`;

/** A request on a connection of its own. */
function ask(
  port: number,
  method: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ port, host: "127.0.0.1", path: "/messages", method, headers, agent: false }, resolve)
      .once("error", reject).end(body);
  });
}

/** A client of the stream: the worker that serves it, and what it has got. */
async function listen(port: number, headers: Record<string, string> = {}) {
  const response = await ask(port, "GET", "", headers);
  const client = { worker: String(response.headers["x-worker"]), got: "", leave: () => void response.destroy() };
  response.setEncoding("utf8").on("data", (text: string) => client.got += text).on("error", () => {});
  return client;
}

describe.concurrent.each(runtimes)("%s", (runtime) => {
  it(
    "17.4 server-sent events reach the clients of each worker, and a client that comes back misses nothing",
    async () => {
      const options = { args: ["-w", "2", "-b", "127.0.0.1:0", "site.js"], files: { "site.js": SITE } };
      await withCommand(runtime, options, async (command) => {
        const clients = [await listen(command.port)];
        const workers = (): Set<string> => new Set(clients.map(({ worker }) => worker));
        try {
          await until("streams of two workers", async () => {
            clients.push(await listen(command.port));
            return workers().size === 2;
          });
          const writers = new Set<string>();
          let said = "";
          await until("a message to each worker", async () => {
            const response = await ask(command.port, "POST", `${said.length}`);
            expect(response.resume().statusCode).toBe(204);
            writers.add(String(response.headers["x-worker"]));
            said += `id: ${said.split("id").length}\ndata: ${said.length}\n\n`;
            return writers.size === 2;
          });
          await until("each client to have all", () => clients.every(({ got }) => got === `: connected\n\n${said}`));
          const back = await listen(command.port, { "Last-Event-ID": "1" });
          clients.push(back);
          await until("the rest", () => back.got === `: connected\n\n${said.slice(said.indexOf("id: 2"))}`);
        } finally {
          for (const { leave } of clients) leave();
        }
      });
    },
    60_000,
  );
});
