/** Serves by the entry point that the first argument names, with the options that are the second, and ends. */

import process from "node:process";
import type { serve as Serve } from "../../mod.ts";

const [entry, options] = process.argv.slice(2) as [string, string];
const { serve } = await import(entry) as { serve: typeof Serve };
const server = await serve((_environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return ["hello"];
}, JSON.parse(options));
await server.shutdown({ timeout: 0 });
