/**
 * The program of every CGI script under test: serves one variant of the application, with its records in TSGI_RECORD.
 *
 * @module
 */

import process from "node:process";
import { serve } from "tsgi";
import { type VariantName, variants } from "../behaviour/apps/app.ts";
import { FileStore } from "../behaviour/apps/files.ts";
import { useStore } from "../behaviour/apps/record.ts";

/** Answers the request of this process. */
export async function main(variant: VariantName): Promise<void> {
  useStore(new FileStore(process.env["TSGI_RECORD"] ?? "."));
  const { app, options } = variants[variant];
  await serve(app, options);
}
