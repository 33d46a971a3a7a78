/**
 * A middleware that checks both sides of WSGI: what the server does and what the application does.
 *
 * Wrap it around an application that you develop, or around a known good application when you develop a server. As long
 * as no rule is broken, neither side sees a difference. When one is broken, the validator throws a {@linkcode
 * WsgiViolation} at that place, or rejects the promise there. `docs/SPEC.md` lists the rules.
 *
 * @module
 */

import { asFunction, isThenable } from "../core/contract/application.ts";
import type { ErrorStream } from "../core/contract/error_stream.ts";
import type { InputStream } from "../core/contract/input_stream.ts";
import type { GatewayRequest } from "../core/contract/tsgi_request.ts";
import type { Application, ApplicationFunction, Body, Environ, StartResponse } from "../core/contract/types.ts";
import { checkBody, leftOpen, type OpenBodies } from "./validate/body.ts";
import { Call, CheckedRequest } from "./validate/call.ts";
import { checkEnviron } from "./validate/environ.ts";
import { CheckedErrors, CheckedInput } from "./validate/input.ts";
import { must, WsgiViolation } from "./validate/rules.ts";
import { ARGUMENTS, RUN_ONCE } from "./validate/spec.ts";

export { type Bound, type Mode, type Rule, WsgiViolation } from "./validate/rules.ts";

/** Options of {@linkcode validator}. */
export interface ValidatorOptions {
  /**
   * Whether to enforce PEP 3333 literally where this contract allows more: blocks must be bytes, a response must have a
   * Content-Type, `read` must have a size, promises of `write()` must be awaited. Default false.
   */
  readonly strict?: boolean;
  /**
   * Receives violations that no caller can catch: a body that was left open. Default: a line on the `wsgi.errors` of
   * the request in which it was found.
   */
  readonly report?: (violation: WsgiViolation) => void;
}

/** An application wrapped in a validator. */
export interface ValidatedApplication extends ApplicationFunction {
  /**
   * Checks that every body has been closed. Call it when all requests are over, for example at the end of a test.
   *
   * @throws {WsgiViolation} (B13) for the first that was left open.
   */
  assertClosed(): void;
}

/**
 * Wraps an application in a validator (PEP 3333; docs/SPEC.md has the rules).
 *
 * Environ, arguments, blocks, and the order of calls are checked as they happen. If the iteration of a body has ended
 * but the body is still open when the application is called the next time, this is reported. `assertClosed()` finds
 * bodies that were never iterated to the end.
 *
 * @param app A function, a class, or an object with `wsgiApp`.
 * @throws {ApplicationError} when `app` is no application.
 *
 * @example
 * ```ts
 * import { toFetch } from "tsgi";
 * import { validator } from "tsgi/wsgiref/validate";
 * const log: string[] = [];
 * const app = validator((_environ, startResponse) => {
 *   startResponse("200OK", [["Content-Type", "text/plain"]]);
 *   return ["never sent"];
 * });
 * const handler = toFetch(app, { errorLog: (text) => log.push(text) });
 * console.assert((await handler(new Request("http://localhost/"))).status === 500);
 * console.assert(log.join().includes('WsgiViolation: R03, broken by the application: the status is string "200OK"'));
 * ```
 *
 * @example PEP 3333 at its word
 * ```ts
 * import { toFetch } from "tsgi";
 * import { validator } from "tsgi/wsgiref/validate";
 * const app = validator((_environ, startResponse) => {
 *   startResponse("200 OK", [["Content-Type", "text/plain"]]);
 *   return ["text"];
 * }, { strict: true });
 * const response = await toFetch(app, { errorLog: () => {} })(new Request("http://localhost/"));
 * console.assert(response.status === 500);
 * ```
 */
export function validator(app: Application, options: ValidatorOptions = {}): ValidatedApplication {
  const inner = asFunction(app);
  const strict = options.strict === true;
  const open: OpenBodies = new Set();
  let calledOnce = false;

  const validated = (...args: [Environ, StartResponse]): Body | Promise<Body> => {
    must(args.length === 2, ARGUMENTS, () => `it was called with ${args.length} arguments`);
    const [environ, startResponse] = args;
    must(typeof environ === "object" && environ !== null, ARGUMENTS, () => "environ is no object");
    must(typeof startResponse === "function", ARGUMENTS, () => "startResponse is no function");
    checkEnviron(environ, strict);
    must(!calledOnce, RUN_ONCE, () => "the application was called again");
    calledOnce = environ["wsgi.run_once"];
    reportOpen(open, options.report ?? ((violation) => environ["wsgi.errors"].write(`${violation.message}\n`)));
    const call = callOf(environ, strict);
    const respond = (body: unknown): Body => {
      call.returned();
      return checkBody(body, call, open);
    };
    const result: unknown = inner(environ, call.startResponse(startResponse));
    return isThenable(result) ? Promise.resolve(result).then(respond) : respond(result);
  };

  return Object.assign(validated, {
    assertClosed: (): void => {
      const [first] = open;
      if (first !== undefined) throw leftOpen(first);
    },
  });
}

/** Replaces the streams in the environ by checking ones. */
function callOf(environ: Environ, strict: boolean): Call {
  const given: GatewayRequest | undefined = environ["tsgi.request"];
  const request = given === undefined ? undefined : new CheckedRequest(given);
  const label = `${environ.REQUEST_METHOD} ${environ.REQUEST_URI ?? environ.PATH_INFO}`;
  const call = new Call(environ.REQUEST_METHOD, label, request, strict);
  const input = new CheckedInput(environ["wsgi.input"], environ.CONTENT_LENGTH, strict);
  const errors = new CheckedErrors(environ["wsgi.errors"]);
  // The casts are safe: the checking classes have the same methods and differ only in private members.
  environ["wsgi.input"] = input as unknown as InputStream;
  environ["wsgi.errors"] = errors as unknown as ErrorStream;
  if (request !== undefined) environ["tsgi.request"] = request as unknown as GatewayRequest;
  return call;
}

const PATIENCE = 32; // microtasks that a server may take between the end of a body and close()

/**
 * Reports bodies that have ended and are still open. It waits PATIENCE first, for servers that are about to close one.
 */
function reportOpen(open: OpenBodies, report: (violation: WsgiViolation) => void): void {
  const suspects = [...open].filter(({ ended }) => ended);
  if (suspects.length === 0) return;
  void (async () => {
    for (let i = 0; i < PATIENCE; i++) await undefined;
    for (const body of suspects) {
      if (!open.delete(body)) continue;
      report(leftOpen(body));
    }
  })();
}
