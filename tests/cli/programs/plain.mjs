// A program of node:http that looks at its command line, and listens once it has connected somewhere.
import { createServer } from "node:http";
import process from "node:process";
import { pathToFileURL } from "node:url";

async function main() {
  await new Promise((resolve) => setTimeout(resolve, 50));
  const server = createServer((request, response) => response.end(`late ${request.url}\n`));
  await new Promise((resolve) => server.listen({ port: 3000, host: "0.0.0.0" }, resolve));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
