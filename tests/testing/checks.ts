/** All checks of testing/. @module */

import type { Check } from "../wsgiref/check.ts";
import { environChecks, parallelChecks, requestChecks } from "./requests_checks.ts";
import { responseChecks } from "./responses_checks.ts";
import { cookieChecks, redirectChecks } from "./visits_checks.ts";

export const checks: readonly Check[] = [
  ...requestChecks,
  ...responseChecks,
  ...redirectChecks,
  ...cookieChecks,
  ...environChecks,
  ...parallelChecks,
];
