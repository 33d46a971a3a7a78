/**
 * Settings: limits and timeouts of requests. docs/options.md describes each in detail.
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
