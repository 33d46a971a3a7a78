/** All checks of tsgi/middleware. @module */

import type { Check } from "../wsgiref/check.ts";
import { headerChecks } from "./header_checks.ts";
import { errorPageChecks } from "./error_page_checks.ts";
import { optionChecks } from "./option_checks.ts";
import { routerChecks } from "./router_checks.ts";
import { serverChecks } from "./server_checks.ts";
import { sessionChecks } from "./session_checks.ts";
import { transparencyChecks } from "./transparency_checks.ts";

export const checks: readonly Check[] = [
  ...routerChecks,
  ...headerChecks,
  ...errorPageChecks,
  ...sessionChecks,
  ...transparencyChecks,
  ...optionChecks,
  ...serverChecks,
];
