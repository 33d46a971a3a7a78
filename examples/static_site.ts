/** A site of files: serves `examples/site`, or the folder that is given, and says what it answers. */

import process from "node:process";
import { staticFiles } from "../middleware/mod.ts";
import { type ApplicationFunction, isMain, serve } from "../mod.ts";

const given = isMain(import.meta) ? process.argv[2] : undefined; // in a worker of the command, the arguments are its own
const folder = given ?? new URL("site", import.meta.url);

/** Names of files in `assets/` change with their content, so browsers need not ask again. */
export const app: ApplicationFunction = staticFiles(folder, { immutable: /^assets\// });

if (isMain(import.meta)) {
  await serve(app, {
    accessLog: ({ environ, status, bytes }) => {
      console.error(`${status} ${environ.REQUEST_METHOD} ${environ.REQUEST_URI} ${environ.HTTP_RANGE ?? "-"} ${bytes}`);
    },
  });
}
