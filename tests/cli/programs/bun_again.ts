// A program that serves again under the same id, as modules do that are loaded again by `bun --hot`.
declare const Bun: { serve(options: object): { id: string; fetch(request: Request): Promise<Response> } };

const first = Bun.serve({ id: "site", port: 3000, fetch: () => new Response("first") });
const second = Bun.serve({ id: "site", port: 3000, fetch: () => new Response("second") });
console.error(`program: ${first === second} ${second.id}`);
