/** The checks of tsgi/http, on whatever runtime this is. @module */

import { run } from "../wsgiref/check.ts";
import { checks } from "./checks.ts";

await run(checks);
