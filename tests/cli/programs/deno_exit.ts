// A program for Deno that ends itself at SIGTERM.
declare const Deno: {
  serve(handler: (request: Request) => Promise<Response>): unknown;
  addSignalListener(name: string, listener: () => void): void;
  exit(code: number): never;
};

Deno.addSignalListener("SIGTERM", () => {
  console.error("program: told");
  Deno.exit(0);
});

Deno.serve(async (request) => {
  const ms = Number(new URL(request.url).searchParams.get("ms") ?? 0);
  await new Promise((resolve) => setTimeout(resolve, ms));
  return new Response("answered");
});
