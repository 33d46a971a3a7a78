/** The application over the sockets of the runtime it runs on. */

import { serve } from "../../../mod.ts";
import { app, options } from "./app.ts";

await serve(app, options());
