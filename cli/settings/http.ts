/**
 * Settings: bounds and time-outs of requests. docs/options.md says more about each.
 *
 * @module
 */

import { served, type ServedSettings } from "./served.ts";
import type { Topic } from "./setting.ts";

/** The settings of this topic. */
export type HttpSettings = Pick<
  ServedSettings,
  | "keepAlive"
  | "headerTimeout"
  | "bodyTimeout"
  | "minBodyRate"
  | "minBodyRateGrace"
  | "writeTimeout"
  | "requestTimeout"
  | "drainIdle"
  | "limitRequestLine"
  | "limitRequestFields"
  | "limitRequestFieldSize"
  | "limitRequestBody"
  | "limitReadline"
  | "writeBufferLimit"
  | "maxRequestsPerConnection"
  | "headerMap"
>;

/** The settings of this topic. */
export const http: Topic<HttpSettings> = served(
  "keepAliveTimeout",
  "headerTimeout",
  "bodyTimeout",
  "minBodyRate",
  "minBodyRateGrace",
  "writeTimeout",
  "requestTimeout",
  "drainIdle",
  "limitRequestLine",
  "limitRequestFields",
  "limitRequestFieldSize",
  "limitRequestBody",
  "limitReadline",
  "writeBufferLimit",
  "maxRequestsPerConnection",
  "headerMap",
);
