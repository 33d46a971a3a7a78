/**
 * Python's wsgiref for TypeScript: headers, utilities, a validator, handlers, and the demo application.
 *
 * @example
 * ```ts
 * import { toFetch } from "tsgi";
 * import { demoApp, validator } from "tsgi/wsgiref";
 * const response = await toFetch(validator(demoApp))(new Request("http://localhost/"));
 * console.assert((await response.text()).startsWith("Hello world!\n"));
 * ```
 *
 * @module
 */

export { demoApp } from "./demo_app.ts";
export {
  BaseCGIHandler,
  CGIHandler,
  type CGIVariables,
  type HandlerErrors,
  type HandlerInput,
  type HandlerOptions,
  type HandlerOutput,
  IISCGIHandler,
  type ResponseHead,
  SimpleHandler,
} from "./handlers.ts";
export { type Header, type HeaderParameters, Headers } from "./headers.ts";
export {
  applicationUri,
  type FileLike,
  FileWrapper,
  guessScheme,
  isHopByHop,
  type PartialEnviron,
  requestUri,
  setupTestingDefaults,
  shiftPathInfo,
} from "./util.ts";
export {
  type Bound,
  type Mode,
  type Rule,
  type ValidatedApplication,
  validator,
  type ValidatorOptions,
  WsgiViolation,
} from "./validate.ts";
