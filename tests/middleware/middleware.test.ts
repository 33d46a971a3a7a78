/** tsgi/middleware on the three runtimes, by one program: with the test client, and over sockets. */

import { portable } from "../wsgiref/portable.ts";
import { checks } from "./checks.ts";

portable("tests/middleware/main.ts", checks, ["--allow-net"]);
