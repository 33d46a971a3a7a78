/**
 * Each shape of application, on each runtime, served in each way: one table of what a client sees.
 *
 * `npm run test:matrix` runs every cell and prints the matrix. The gate runs a part in which each pair of shape and way, of
 * shape and runtime, and of runtime and way occurs.
 *
 * @module
 */

import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, describe, expect, it } from "vitest";
import { Client } from "../behaviour/client.ts";
import { field, fields, textOf, type WireResponse } from "../behaviour/response.ts";
import { projectPath, type Runtime } from "../server_process.ts";
import { type Shape, shapes } from "./shapes.ts";
import { BLOCKS, receipt } from "./shapes/work.ts";
import { type Served, start, type Way, ways } from "./ways.ts";

const runtimes = ["node", "deno", "bun"] as const satisfies readonly Runtime[];
const all = process.env["TSGI_MATRIX"] === "all";

interface Cell {
  readonly shape: Shape;
  readonly runtime: Runtime;
  readonly way: Way;
}

const cells: readonly Cell[] = shapes.flatMap((shape, i) =>
  ways.flatMap((way, j) =>
    runtimes.filter((_runtime, k) => all || k === (i + j) % runtimes.length).map((runtime) => ({ shape, runtime, way }))
  )
);

/** What became of each cell, for the matrix. */
const outcomes = new Map<Cell, string>();

const UPLOAD = Uint8Array.from({ length: 5 * 1024 * 1024 }, (_, i) => i % 251);
const CUT_AS_WHOLE = "Apache ends a script's response without a length as if it were whole";
const SLOW = 15_000; // ms: a script starts for each request

/** Apart from the response, what a case gets. */
interface Trial {
  readonly served: Served;
  readonly cell: Cell;
  /** A file that is not there yet; to make it lets `/stream` go on. */
  readonly gate: string;
}

interface Case {
  readonly title: string;
  /** Ways in which it cannot be seen, and why not. */
  readonly not?: Partial<Readonly<Record<Way, string>>>;
  readonly check: (trial: Trial) => Promise<void>;
}

const closing = { headers: [["Connection", "close"]] } as const;

async function ask(served: Served, method: string, path: string, body?: Uint8Array): Promise<WireResponse> {
  const client = await Client.connect(served.port);
  try {
    await client.request(method, path, { ...closing, ...(body === undefined ? {} : { body }) });
    return await client.response(SLOW);
  } finally {
    client.dispose();
  }
}

/** A client that has the first block of a response, and nothing else. */
async function firstBlock(served: Served, path: string, gate: string): Promise<Client> {
  const client = await Client.connect(served.port);
  const body = (): string => client.reader.finals[0] === undefined ? "" : textOf(client.reader.finals[0]);
  await client.request("GET", `${path}?gate=${encodeURIComponent(gate)}`, closing);
  await client.until("the first block", () => body() === BLOCKS[0] || client.over, SLOW);
  expect(body()).toBe(BLOCKS[0]);
  return client;
}

const cases: readonly Case[] = [
  {
    title: "GET",
    check: async ({ served }) => {
      const response = await ask(served, "GET", "/hello?n=7");
      expect([response.status, textOf(response)]).toEqual([200, "hello 7"]);
    },
  },
  {
    title: "POST of 5 MiB",
    check: async ({ served }) => {
      const response = await ask(served, "POST", "/upload", UPLOAD);
      expect([response.status, textOf(response)]).toEqual([200, receipt(UPLOAD)]);
    },
  },
  {
    title: "a response block by block",
    check: async ({ served, gate }) => {
      const client = await firstBlock(served, "/stream", gate);
      writeFileSync(gate, "");
      expect(textOf(await client.response(SLOW))).toBe(BLOCKS.join(""));
      client.dispose();
    },
  },
  {
    title: "an error before the response",
    check: async ({ served }) => {
      const response = await ask(served, "GET", "/fail");
      expect(response.status).toBe(500);
      expect((await ask(served, "GET", "/hello?n=8")).status).toBe(200);
    },
  },
  {
    title: "an error in the middle",
    not: { CGI: CUT_AS_WHOLE },
    check: async ({ served, gate }) => {
      const client = await firstBlock(served, "/cut", gate);
      writeFileSync(gate, "");
      await client.until("the end of the connection", () => client.over, SLOW);
      expect(client.reader.finals[0]?.complete).not.toBe(true);
      client.dispose();
    },
  },
  {
    title: "a redirect with two cookies",
    check: async ({ served }) => {
      const response = await ask(served, "GET", "/redirect");
      expect([response.status, fields(response, "set-cookie")]).toEqual([302, ["a=1", "b=2"]]);
      expect(field(response, "location")).toMatch(/\/hello\?n=1$/);
    },
  },
  {
    title: "the client's address",
    check: async ({ served }) => {
      expect(textOf(await ask(served, "GET", "/client"))).toBe("127.0.0.1");
    },
  },
];

const folder = mkdtempSync(join(tmpdir(), "tsgi-matrix-"));
chmodSync(folder, 0o755); // for the user of a web server

for (const runtime of runtimes) {
  describe.concurrent(runtime, () => {
    for (const cell of cells.filter((one) => one.runtime === runtime)) {
      const { shape, way } = cell;
      const reason = shape.not?.[way];
      if (reason !== undefined) {
        outcomes.set(cell, `not: ${reason}`);
        continue;
      }
      it(`${shape.name}, ${way}`, { timeout: 120_000 }, async () => {
        outcomes.set(cell, "FAILED");
        const served = await start(way, runtime, projectPath(`tests/matrix/shapes/${shape.file}`));
        let seen = 0;
        try {
          for (const [i, { title, not, check }] of cases.entries()) {
            if (not?.[way] !== undefined) continue;
            const gate = join(folder, `${runtime}-${shape.file}-${ways.indexOf(way)}-${i}`);
            if (existsSync(gate)) rmSync(gate);
            await check({ served, cell, gate }).catch((error) => {
              throw new Error(`${title}: ${(error as Error).message}\n${served.report().slice(-3000)}`, {
                cause: error,
              });
            });
            seen++;
          }
        } finally {
          await served.stop();
        }
        outcomes.set(cell, `${seen} of ${cases.length}`);
      });
    }
  });
}

/** The matrix, a line a shape and runtime, with the reasons behind it. */
function matrix(): string {
  const lines = shapes.flatMap((shape) =>
    runtimes.map((runtime) => {
      const row = ways.map((way) => {
        const cell = cells.find((one) => one.shape === shape && one.runtime === runtime && one.way === way);
        const outcome = cell === undefined ? "-" : outcomes.get(cell) ?? "?";
        return outcome.startsWith("not: ") ? "cannot be" : outcome;
      });
      return `${shape.name.padEnd(17)} ${runtime.padEnd(5)} ${row.map((one) => one.padEnd(11)).join("")}`;
    })
  );
  const reasons = shapes.flatMap((shape) =>
    Object.entries(shape.not ?? {}).map(([way, why]) => `${shape.name}, ${way}: ${why}`)
  );
  const left = cases.flatMap(({ title, not }) =>
    Object.entries(not ?? {}).map(([way, why]) => `${title}, ${way}: ${why}`)
  );
  return [`${" ".repeat(24)}${ways.map((way) => way.padEnd(11)).join("")}`, ...lines, ...reasons, ...left].join("\n");
}

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  console.log(matrix());
});
