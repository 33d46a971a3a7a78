/** All checks of tsgi/http. @module */

import type { Check } from "../wsgiref/check.ts";
import { answerChecks } from "./answer_checks.ts";
import { cookieChecks } from "./cookie_checks.ts";
import { eventChecks } from "./event_checks.ts";
import { formChecks } from "./form_checks.ts";
import { optionChecks } from "./option_checks.ts";
import { readingChecks } from "./reading_checks.ts";
import { serverChecks } from "./server_checks.ts";

export const checks: readonly Check[] = [
  ...readingChecks,
  ...cookieChecks,
  ...formChecks,
  ...answerChecks,
  ...eventChecks,
  ...optionChecks,
  ...serverChecks,
];
