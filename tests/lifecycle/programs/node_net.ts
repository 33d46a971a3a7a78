/** The application over `node:net`, whatever the runtime. */

import { serve } from "../../../adapters/node.ts";
import { app, options } from "./app.ts";

await serve(app, options());
