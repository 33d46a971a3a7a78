// deno-lint-ignore-file explicit-module-boundary-types -- the snippets are written as users write them
/**
 * Forty snippets of applications: those that have to compile do, and those with `@ts-expect-error` do not. The compiler
 * also reports such a comment where there is no error. tests/types/types.test.ts compiles this file.
 *
 * @module
 */

import {
  type AccessLog,
  type Application,
  type ApplicationFunction,
  type Body,
  type Chunk,
  type Environ,
  type HeaderList,
  InputError,
  ListenError,
  serve,
  type StartResponse,
  type TcpServeOptions,
  toFetch,
  type Write,
} from "tsgi";
import { fromFetch } from "tsgi/bridges/fetch";
import { fromNodeListener } from "tsgi/bridges/node";
import { client } from "tsgi/testing";
import { validator } from "tsgi/wsgiref/validate";

declare const environ: Environ;
declare const startResponse: StartResponse;
declare const anyApp: Application;

// 1 to 8: what comes from the client.

// 1. A header field may be absent.
// @ts-expect-error -- the client may have sent no cookie
environ.HTTP_COOKIE.split(";");
// 2
export const cookies: string[] = environ.HTTP_COOKIE?.split(";") ?? [];
// 3
export const agent: string = environ.HTTP_USER_AGENT ?? "unknown";
// 4. A name that is made while the program runs.
const field: `HTTP_${string}` = `HTTP_${"x-id".toUpperCase().replace("-", "_")}`;
export const id: string | undefined = environ[field];
// 5
// @ts-expect-error -- CONTENT_TYPE is absent where the client sent none
environ.CONTENT_TYPE.startsWith("text/");
// 6
export const path: string = environ.SCRIPT_NAME + environ.PATH_INFO;
// 7
// @ts-expect-error -- CONTENT_LENGTH is text, and may be absent
export const length: number = environ.CONTENT_LENGTH;
// 8
// @ts-expect-error -- a key of a middleware has no type of its own
environ["site.user"].toUpperCase();

// 9 to 15: headers.

// 9. A list that is made first.
const made: HeaderList = [["Content-Type", "text/plain"]];
startResponse("200 OK", made);
// 10. A list that grows.
const grows: [string, string][] = [];
grows.push(["Set-Cookie", "a=1"]);
startResponse("200 OK", grows);
// 11. A list that is added to another.
startResponse("200 OK", [...made, ...grows, ["X-A", "b"]]);
// 12
// @ts-expect-error -- an object is no list of pairs
startResponse("200 OK", { "Content-Type": "text/plain" });
// 13
// @ts-expect-error -- a number is no value
startResponse("200 OK", [["Content-Length", 5]]);
// 14
// @ts-expect-error -- the status has a reason, and is text
startResponse(200, made);
// 15
// @ts-expect-error -- a HeaderList is not changed
made.push(["X-A", "b"]);

// 16 to 25: bodies and forms of applications.

// 16
export const text: ApplicationFunction = () => "hello\n";
// 17
export const generator: ApplicationFunction = function* () {
  yield "hello";
  yield new Uint8Array(1);
};
// 18
export const stream: Application = async function* (environ) {
  for await (const bytes of environ["wsgi.input"]) yield bytes;
};
// 19. A web stream, under each compiler.
export const web: ApplicationFunction = () =>
  new ReadableStream<Uint8Array>({ start: (controller) => controller.close() });
// 20
export const ofFetch: ApplicationFunction = async () => (await fetch("http://127.0.0.1/")).body ?? [];
// 21
export class Site {
  readonly #environ: Environ;
  constructor(environ: Environ, startResponse: StartResponse) {
    this.#environ = environ;
    startResponse("200 OK", []);
  }
  *[Symbol.iterator](): Generator<string> {
    yield this.#environ.PATH_INFO;
  }
}
export const ofClass: Application = Site;
// 22
export const object: Application = { wsgiApp: () => ["hello"] };
// 23
// @ts-expect-error -- nothing is returned
export const forgotten: Application = (_environ, startResponse) => {
  startResponse("200 OK", []);
};
// 24
// @ts-expect-error -- a Response is no body: fromFetch takes such a function
export const response: Application = () => new Response("hello");
// 25
// @ts-expect-error -- a number is no body
export const number: Application = () => 7;

// 26 to 31: middleware.

// 26
export function timed(app: ApplicationFunction): ApplicationFunction {
  return (environ, startResponse) => app(environ, startResponse);
}
// 27. One that awaits, and changes the blocks.
export function shouting(app: ApplicationFunction): ApplicationFunction {
  return async (environ, startResponse) => upper(await app(environ, startResponse));
}
async function* upper(body: Body): AsyncGenerator<Chunk> {
  const blocks = typeof body === "string" || body instanceof Uint8Array ? [body] : body;
  for await (const block of blocks) yield typeof block === "string" ? block.toUpperCase() : block;
}
// 28. One that adds a key; what it wraps sees the type of the key.
type WithUser = Environ & { "site.user": string };
export function authenticated(app: ApplicationFunction<WithUser>): ApplicationFunction {
  return (environ, startResponse) => app(Object.assign(environ, { "site.user": "ann" }), startResponse);
}
export const greeting: Application = authenticated((environ) => environ["site.user"].toUpperCase());
// 29
const needsUser: ApplicationFunction<WithUser> = (environ) => environ["site.user"];
// @ts-expect-error -- the application needs a key that the server does not give
await serve(needsUser);
// 30
// @ts-expect-error -- an Application may be a class or an object: middleware takes an ApplicationFunction
anyApp(environ, startResponse);
// 31. A StartResponse of one's own.
export const headed: ApplicationFunction = (environ, startResponse) => {
  const own: StartResponse = (status, headers, excInfo): Write =>
    startResponse(status, [...headers, ["X-Own", "1"]], excInfo);
  return text(environ, own);
};

// 32 to 40: serving, testing, bridges.

// 32
const options: TcpServeOptions = { port: 0, protocol: "fastcgi", allowIps: ["10.0.0.0/8"] };
const server = await serve(text, options);
export const port: number = server.address.port;
// 33
// @ts-expect-error -- no such option
await serve(text, { prot: 8000 });
// 34
// @ts-expect-error -- the port is a number
await serve(text, { port: "8000" });
// 35
// @ts-expect-error -- text is no application
await serve("app.ts");
// 36
const accessLog: AccessLog = ({ environ, status }) => void [environ.HTTP_REFERER ?? "-", status.toFixed()];
await serve(text, { accessLog }).catch((error: unknown) => {
  if (error instanceof ListenError) return error.code;
  throw error;
});
// 37
const answer = await client(validator(text)).post("/", { json: { a: 1 }, headers: { "x-a": "b" } });
export const status: number = answer.status;
// 38
// @ts-expect-error -- json() gives unknown, which has to be checked
(await answer.json()).length;
// 39
export const bridged: Application[] = [
  fromFetch((request: Request) => new Response(request.url)),
  fromNodeListener((req, res) => res.end(req.url)),
];
export const handler: (request: Request) => Promise<Response> = toFetch(text);
// 40
try {
  await environ["wsgi.input"].read(10);
} catch (error) {
  // @ts-expect-error -- what is caught has to be checked first
  console.log(error.status);
  if (error instanceof InputError) console.log(error.status.slice(0, 3));
}
