// A program for Bun.
interface BunServer {
  readonly port: number;
  readonly url: URL;
  requestIP(request: Request): { address: string } | null;
}

declare const Bun: {
  serve(
    options: {
      port: number;
      fetch: (request: Request, server: BunServer) => Response;
      error: (error: Error) => Response;
    },
  ): BunServer;
};

const server = Bun.serve({
  port: 3000,
  fetch: (request, own) => {
    if (new URL(request.url).pathname === "/throw") throw new Error("thrown");
    return new Response(`Bun.serve to ${own.requestIP(request)?.address} at ${own.port} ${own === server}`);
  },
  error: (error) => new Response(`error ${error.message}`, { status: 418 }),
});
