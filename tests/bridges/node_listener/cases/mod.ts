/**
 * All cases.
 */

import type { Case } from "../case.ts";
import { bodyCases } from "./body.ts";
import { endingCases } from "./endings.ts";
import { headCases } from "./head.ts";
import { requestCases } from "./request.ts";

export const cases: readonly Case[] = [...headCases, ...bodyCases, ...requestCases, ...endingCases];
