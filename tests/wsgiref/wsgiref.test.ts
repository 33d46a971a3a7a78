/** wsgiref/ on the three runtimes, by one program. */

import { checks } from "./checks.ts";
import { portable } from "./portable.ts";

portable("tests/wsgiref/main.ts", checks);
