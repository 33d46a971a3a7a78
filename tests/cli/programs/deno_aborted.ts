// A program whose signal is aborted before it serves. Deno takes no notice of such a signal.
declare const Deno: { serve(options: object, handler: () => Response): unknown };

Deno.serve({ port: 3000, signal: AbortSignal.abort() }, () => new Response("served"));
