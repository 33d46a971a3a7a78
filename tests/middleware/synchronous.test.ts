/** No read of more than 64 KiB blocks the event loop. */

import { expect, test, vi } from "vitest";
import type * as FileSystem from "node:fs";
import { staticFiles } from "../../middleware/mod.ts";
import { client } from "../../testing/mod.ts";
import { SiteFolder } from "./site_folder.ts";

const synchronous: number[] = []; // lengths of reads
const asynchronous: number[] = [];

vi.mock("node:fs", async (load) => {
  const fs = await load<typeof FileSystem>();
  return {
    ...fs,
    readSync: (...args: Parameters<typeof fs.readSync>) => {
      synchronous.push((args as unknown[])[3] as number);
      return fs.readSync(...args);
    },
    read: (...args: Parameters<typeof fs.read>) => {
      asynchronous.push((args as unknown[])[3] as number);
      return fs.read(...args);
    },
    readFileSync: () => expect.fail("readFileSync was called"),
  };
});

test("19. static files: 64 KiB are read at once, more of it asynchronously, in blocks", async () => {
  const site = new SiteFolder();
  try {
    const app = client(staticFiles(site.root));
    const sizes = [65536, 65537, 1_000_000, 3_000_000];
    for (const size of sizes) {
      site.write(`${size}.bin`, new Uint8Array(size));
      expect((await (await app.get(`/${size}.bin`)).bytes()).length).toBe(size);
    }
    expect(synchronous).toEqual([65536]);
    expect(asynchronous.reduce((sum, one) => sum + one, 0)).toBe(65537 + 4_000_000);
    expect(Math.max(...asynchronous)).toBe(262_144);
  } finally {
    site.remove();
  }
});
