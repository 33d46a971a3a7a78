/** A fetch application that a web server may start as a CGI script. */

import { fromFetch } from "../../../bridges/fetch.ts";
import { serve } from "../../../mod.ts";

await serve(fromFetch(async (request, { remoteAddr, waitUntil }) => {
  waitUntil(new Promise((resolve) => setTimeout(resolve, 20)).then(() => console.error("behind")));
  const headers = new Headers({ "content-type": "text/plain", "x-url": request.url });
  for (const cookie of ["a=1", "b=2"]) headers.append("set-cookie", cookie);
  return new Response(`${request.method} ${remoteAddr.hostname} ${await request.text()}`, { status: 201, headers });
}));
