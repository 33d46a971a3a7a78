/** All checks of wsgiref/. @module */

import type { Check } from "./check.ts";
import { handlersChecks } from "./handlers_checks.ts";
import { headersChecks } from "./headers_checks.ts";
import { validatorChecks } from "./validator_checks.ts";
import { utilChecks } from "./util_checks.ts";
import { applicationChecks } from "./violations_by_application.ts";
import { serverChecks } from "./violations_by_server.ts";

export const checks: readonly Check[] = [
  ...headersChecks,
  ...utilChecks,
  ...handlersChecks,
  ...validatorChecks,
  ...applicationChecks,
  ...serverChecks,
];
