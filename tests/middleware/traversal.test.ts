/**
 * Paths that try to leave the folder of `staticFiles`, each sent over a socket of its own request, on each runtime.
 *
 * @module
 */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Client } from "../behaviour/client.ts";
import { ServerProcess } from "../server_process.ts";
import { SECRET, SiteFolder } from "./site_folder.ts";
import { ORDINARY, traversalTargets } from "./traversal.ts";

/** What an answer may not have: the secret, a line of a system's file, the name of the folder beside. */
const LEAKS = new RegExp(`${SECRET}|root:|site-secret|secret\\.txt`);

describe.each(["node", "deno", "bun"] as const)("19. traversal, %s", (runtime) => {
  let site: SiteFolder;
  let server: ServerProcess;

  beforeAll(async () => {
    site = new SiteFolder();
    const program = "tests/middleware/programs/static.ts";
    const options = { flags: ["--allow-net", "--allow-read"], args: [site.root] }; // Deno itself refuses nothing
    server = await ServerProcess.start(runtime, program, /^\{.*\}$/m, options);
  });

  afterAll(async () => {
    await server.stop();
    site.remove();
  });

  it.each(["plain", "mounted"])(
    "%s: no octet from outside, and no refused name, for any of the targets",
    async (way) => {
      const port = (JSON.parse(server.ready[0]) as Record<string, number>)[way] as number;
      const prefix = way === "mounted" ? "/app" : "";
      const targets = traversalTargets(site.root);
      expect(targets.length).toBeGreaterThanOrEqual(150);
      const served: string[] = [];
      for (const method of ["GET", "HEAD"]) {
        for (const target of targets) {
          const client = await Client.connect(port);
          const { status, raw, pieces } = await ask(client, method, target.replace(/^(?=\/)/, prefix), target);
          const text = raw + Buffer.concat(pieces).toString("latin1");
          expect(text, target).not.toMatch(LEAKS);
          expect([200, 301, 400, 404, 414], target).toContain(status);
          if (method === "GET" && (status === 200 || status === 301) && !ORDINARY.has(target)) served.push(target);
        }
      }
      // An option of the second way allows one dotfile.
      const allowed = way === "mounted" ? ["/.well-known/acme"] : [];
      expect(served).toEqual(allowed);
      expect(server.stderr).toBe("");
    },
    60_000,
  );

  it("the traps work: what is served has its octets", async () => {
    const { plain = 0 } = JSON.parse(server.ready[0]) as Record<string, number>;
    const client = await Client.connect(plain);
    const response = await ask(client, "GET", "/hello.txt", "/hello.txt");
    expect(Buffer.concat(response.pieces).toString()).toBe("0123456789");
  });
});

async function ask(client: Client, method: string, target: string, name: string) {
  try {
    await client.request(method, target);
    return await client.response();
  } catch (error) {
    throw new Error(`${method} ${name}: ${(error as Error).message}`, { cause: error });
  } finally {
    client.dispose();
  }
}
