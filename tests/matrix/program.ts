/**
 * A program that serves an application of any shape with `serve`, through a bridge if the shape needs one.
 *
 * @module
 */

import process from "node:process";
import { pathToFileURL } from "node:url";
import { applicationOf } from "../../cli/app_type.ts";
import { serve } from "../../mod.ts";

const { default: app } = await import(pathToFileURL(process.argv[2] as string).href) as { default: unknown };
await serve(await applicationOf(app, "auto"), {
  port: 0,
  onListen: ({ port }) => console.log(`listening ${port}`),
});
