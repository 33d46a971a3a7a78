/** The routes as an object with `wsgiApp`. */

import type { ApplicationObject } from "../../../mod.ts";
import { app } from "./wsgi.ts";

const object: ApplicationObject = { wsgiApp: app };
export default object;
