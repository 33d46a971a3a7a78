/**
 * Serves the frameworks.
 */

import { serve } from "../../../mod.ts";
import { app } from "./frameworks.ts";

const server = await serve(app, { port: 0, hostname: "127.0.0.1", onListen: () => {} });
console.log(`port ${server.address.port}`);
