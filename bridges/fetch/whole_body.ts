/**
 * The body of a Response that was made of text or bytes, without a stream.
 *
 * No member of Response tells what it was made of, and a stream for a few bytes costs more than all the rest of the
 * bridge. Deno keeps the state of a Response in properties named by symbols, in two ways: what a body was made of is the
 * value of a property until somebody asks for the body, or it is inside the state. Which property that is, if any, is
 * found out once, with Responses whose bodies are known. On other runtimes none is, and every body is read from its
 * stream.
 *
 * @module
 */

/** What a body was made of. */
type Whole = string | Uint8Array;

/** The state of a Response on Deno. */
interface State {
  readonly body?: { readonly streamOrStatic?: { readonly body?: unknown; readonly consumed?: unknown } } | null;
}

type Read = (response: Response) => unknown;

const TEXT = "the text of a body";
const ways: readonly Read[] = [found(valueOf), found(insideOf)].filter((way) => way !== undefined);

/** The body of a Response that nobody has begun to read, where it is known to be text or bytes; else undefined. */
export function wholeBody(response: Response): Whole | undefined {
  for (const way of ways) {
    const body = way(response);
    if (isWhole(body)) return body;
  }
  return undefined;
}

function valueOf(response: Response, symbol: symbol): unknown {
  return (response as unknown as Record<symbol, unknown>)[symbol];
}

function insideOf(response: Response, symbol: symbol): unknown {
  const state = (response as unknown as Record<symbol, State | null | undefined>)[symbol];
  const made = state?.body?.streamOrStatic;
  return made?.consumed === false ? made.body : undefined;
}

/** A way to read that is right for Responses of all kinds whose bodies are known, or undefined. */
function found(read: (response: Response, symbol: symbol) => unknown): Read | undefined {
  const made = (): Response[] => [new Response(TEXT), new Response(TEXT, { headers: new Headers({ a: "b" }) })];
  const [asked, used] = [made(), made()];
  for (const response of asked) void response.body;
  for (const response of used) void response.text();
  const never = [...asked, ...used, new Response(new ReadableStream()), new Response(null)];
  const symbol = Object.getOwnPropertySymbols(new Response(TEXT)).find((one) =>
    made().some((response) => read(response, one) === TEXT) && !never.some((response) => isWhole(read(response, one)))
  );
  return symbol === undefined ? undefined : (response) => read(response, symbol);
}

function isWhole(body: unknown): body is Whole {
  return typeof body === "string" || body instanceof Uint8Array;
}
