/** The checks of wsgiref/, on whatever runtime this is. @module */

import { checks } from "./checks.ts";
import { run } from "./check.ts";

await run(checks);
