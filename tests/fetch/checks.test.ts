/** toFetch with Requests made by hand, on the three runtimes, by one program. */

import { portable } from "../wsgiref/portable.ts";
import { checks } from "./checks.ts";

portable("tests/fetch/main.ts", checks);
