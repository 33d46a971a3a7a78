/** What `serve` says of each of the options `tls` in the first argument, in JSON: "served", or the error. */

import process from "node:process";
import { serve, type TlsOptions } from "../../mod.ts";

const told: string[] = [];
for (const tls of JSON.parse(process.argv[2] as string) as TlsOptions[]) {
  const log: string[] = [];
  try {
    const server = await serve(() => [], { port: 0, tls, onListen: () => {}, errorLog: (text) => log.push(text) });
    await server.shutdown({ timeout: 0 });
    told.push(`served ${log.join("")}`.trim());
  } catch (error) {
    told.push(`${(error as Error).name}: ${(error as Error).message}`);
  }
}
console.log(JSON.stringify(told));
