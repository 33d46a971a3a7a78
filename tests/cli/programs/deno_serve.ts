// A program for Deno.
declare const Deno: {
  serve(
    options: { port: number; onListen: (address: { port: number }) => void; onError: (error: unknown) => Response },
    handler: (request: Request, info: { remoteAddr: { hostname: string } }) => Response,
  ): { addr: { port: number } };
};

const server = Deno.serve(
  {
    port: 3000,
    onListen: (address) => console.error("program: onListen", typeof address.port),
    onError: (error) => new Response(`onError ${(error as Error).message}`, { status: 418 }),
  },
  (request, info) => {
    if (new URL(request.url).pathname === "/throw") throw new Error("thrown");
    return new Response(`Deno.serve to ${info.remoteAddr.hostname} at ${server.addr.port}`);
  },
);
