/**
 * Writes `docs/SPEC.md`, the contract, from the prose beside the checks of the validator.
 *
 * @module
 */

import { writeFileSync } from "node:fs";
import { specification } from "../wsgiref/validate/spec.ts";

writeFileSync(new URL("../docs/SPEC.md", import.meta.url), specification());
