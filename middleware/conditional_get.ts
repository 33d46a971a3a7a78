/**
 * Answers 304 where an application's response has a validator that the client already has.
 *
 * The application still runs, and still makes its body; what is saved is its transfer. The server sends nothing of the
 * body of a 304, stops its iterator at the first block, and closes it. So the body passes through this middleware as it
 * is: one block for one block (M01), and `close()` is the body's own (M03).
 *
 * Entity tags are not computed here. A tag of the octets would cost the time of a hash for each response, and pages with
 * a token or a time in them would never match.
 *
 * @module
 */

import { named } from "../core/contract/application.ts";
import type { HeaderList, StartResponse } from "../core/contract/types.ts";
import { checkMiddlewareOptions } from "../http/options.ts";
import { fieldOf, isHeaderList, withoutContent } from "./representation/fields.ts";
import { type Conditions, httpDate, isNotModified } from "./representation/conditions.ts";
import type { Middleware } from "./middleware.ts";

/**
 * Makes middleware by which a 200 to GET or HEAD becomes a 304 if the ETag or the Last-Modified that the application has set
 * matches If-None-Match or If-Modified-Since. No other response is touched.
 *
 * @param options There are none yet.
 *
 * @example
 * ```ts
 * import type { ApplicationFunction } from "tsgi";
 * import { conditionalGet } from "tsgi/middleware";
 * import { client } from "tsgi/testing";
 *
 * const page: ApplicationFunction = (_environ, startResponse) => {
 *   startResponse("200 OK", [["Content-Type", "text/plain"], ["ETag", '"version-7"']]);
 *   return ["a page"];
 * };
 * const site = client(conditionalGet()(page));
 * const again = await site.get("/", { headers: { "If-None-Match": '"version-7"' } });
 * console.assert(again.status === 304 && await again.text() === "");
 * ```
 */
export function conditionalGet(options: Readonly<Record<string, never>> = {}): Middleware {
  checkMiddlewareOptions("conditionalGet", options, {});
  return (app) =>
    named((environ, startResponse) => {
      const method = environ.REQUEST_METHOD;
      const asks = environ.HTTP_IF_NONE_MATCH !== undefined || environ.HTTP_IF_MODIFIED_SINCE !== undefined;
      if (!asks || (method !== "GET" && method !== "HEAD")) return app(environ, startResponse);
      const { HTTP_IF_NONE_MATCH, HTTP_IF_MODIFIED_SINCE } = environ; // the application may change the environ
      const request = { HTTP_IF_NONE_MATCH, HTTP_IF_MODIFIED_SINCE };
      return app(environ, (...args: Parameters<StartResponse>) => {
        const [status, headers, ...rest] = args;
        const isChecked = typeof status === "string" && status.startsWith("200 ") && isHeaderList(headers);
        if (!isChecked || !matches(request, headers)) return startResponse(...args);
        return startResponse("304 Not Modified", withoutContent(headers), ...rest);
      });
    }, app.name);
}

function matches(request: Conditions, headers: HeaderList): boolean {
  const etag = fieldOf(headers, "etag");
  if (etag === undefined && request.HTTP_IF_NONE_MATCH !== undefined) return false; // also for "*"
  const date = fieldOf(headers, "last-modified");
  return isNotModified(request, {
    etag,
    modified: date === undefined ? undefined : httpDate(date),
  });
}
