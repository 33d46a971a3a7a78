/** The echo example over `node:net`, whatever the runtime. */

import { serve } from "../../../adapters/node.ts";
import { app } from "../../../examples/echo.ts";

await serve(app, { port: 0 });
