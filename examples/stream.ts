/** Streams server-sent events from an async generator. A page shows them as they arrive. */

import { type Body, type Environ, isMain, serve, type StartResponse } from "../mod.ts";

const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>tsgi stream</title>
<h1>Events, one by one</h1>
<ol id="events"></ol>
<script>
  const source = new EventSource("/events");
  source.onmessage = (event) => {
    const item = document.createElement("li");
    item.textContent = event.data;
    document.getElementById("events").append(item);
    if (event.data === "5") source.close();
  };
</script>
`;

/** Yields five events. The `finally` block runs at every end of the stream, also when the client leaves. */
async function* events(): AsyncGenerator<string> {
  try {
    for (let i = 1; i <= 5; i++) {
      yield `data: ${i}\n\n`;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  } finally {
    console.error("stream over");
  }
}

export function app(environ: Environ, startResponse: StartResponse): Body {
  if (environ.PATH_INFO === "/events") {
    startResponse("200 OK", [["Content-Type", "text/event-stream"], ["Cache-Control", "no-store"]]);
    return events();
  }
  startResponse("200 OK", [["Content-Type", "text/html; charset=utf-8"]]);
  return [PAGE];
}

if (isMain(import.meta)) await serve(app);
