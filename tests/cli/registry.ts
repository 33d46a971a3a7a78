/**
 * A registry of packages in this process, so that tests can install without the network. It has the packages of
 * node_modules, each in the one version that is there, and no package tsgi.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { projectPath } from "./command.ts";

const TARBALL = "/-/package.tgz"; // after the name of the package

/** A running registry. */
export interface Registry {
  /** Its URL. */
  readonly url: string;
  /** Ends it. */
  stop(): void;
}

/** Starts a registry. */
export async function startRegistry(): Promise<Registry> {
  const tarballs = new Map<string, Uint8Array>();
  const server = createServer((request, response) => answer(request, response, tarballs));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const stop = (): void => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://127.0.0.1:${port}/`, stop };
}

function answer(request: IncomingMessage, response: ServerResponse, tarballs: Map<string, Uint8Array>): void {
  const path = decodeURIComponent((request.url ?? "/").replace(/\?.*$/, "").slice(1));
  const name = path.replace(TARBALL, "");
  if (!/^(?:@[\w.-]+\/)?[\w.-]+$/.test(name) || !existsSync(manifestOf(name))) {
    response.writeHead(404, { "content-type": "application/json" }).end(`{"error":"Not found"}`);
    return;
  }
  const tarball = tarballs.get(name) ?? pack(name);
  tarballs.set(name, tarball);
  if (path.endsWith(TARBALL)) {
    response.writeHead(200, { "content-type": "application/octet-stream" }).end(tarball);
    return;
  }
  // Packages for one platform each, such as the compiler itself, are large, and nothing here needs them.
  const { optionalDependencies: _platforms, scripts: _scripts, ...manifest } = JSON.parse(
    readFileSync(manifestOf(name), "utf8"),
  );
  const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
  const shasum = createHash("sha1").update(tarball).digest("hex");
  const dist = { tarball: `http://${request.headers.host}/${name}${TARBALL}`, integrity, shasum };
  const versions = { [manifest.version]: { ...manifest, dist } };
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ name, "dist-tags": { latest: manifest.version }, versions }));
}

function manifestOf(name: string): string {
  return projectPath(`node_modules/${name}/package.json`);
}

function pack(name: string): Uint8Array {
  const folder = projectPath(`node_modules/${name}`);
  const args = ["-cz", "--exclude=./node_modules", "--transform=s,^[.],package,", "-C", folder, "."];
  return execFileSync("tar", args, { maxBuffer: Infinity });
}
