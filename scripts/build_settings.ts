/**
 * Writes `docs/settings.md` from the table of settings of the `tsgi` command.
 *
 * @module
 */

import { writeFileSync } from "node:fs";
import { settingsPage } from "../cli/help.ts";

writeFileSync(new URL("../docs/settings.md", import.meta.url), settingsPage());
