/**
 * Serves the TypeScript sources over HTTP, as JSR does.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { dist } from "./package.ts";

/** Serves the sources of the package while `use` runs with the address of their folder. */
export async function withModuleServer(use: (origin: string) => Promise<void>): Promise<void> {
  const server = createServer((request, response) => {
    readFile(join(dist, "src", new URL(request.url as string, "http://localhost").pathname)).then(
      (text) => response.writeHead(200, { "Content-Type": "application/typescript" }).end(text),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
