/**
 * Reads the body of a Response that was made from text or bytes, without a stream.
 *
 * No public member of Response reveals what it was made from, and a stream for a few bytes costs more than the rest of
 * the bridge. Deno keeps the state of a Response in properties named by symbols. The original body is either the value
 * of such a property, until somebody reads `body`, or a part of the state. This module finds the right property once,
 * by means of Responses with known bodies. Other runtimes have no such property, and every body is read from its
 * stream.
 *
 * @module
 */

/** The text or bytes that a body was made from. */
type Whole = string | Uint8Array;

/** The state of a Response on Deno. */
interface State {
  readonly body?: { readonly streamOrStatic?: { readonly body?: unknown; readonly consumed?: unknown } } | null;
}

type Read = (response: Response) => unknown;

const TEXT = "the text of a body";
const ways: readonly Read[] = [found(valueOf), found(insideOf)].filter((way) => way !== undefined);

/** Returns the unread body of a Response, if it is known to be text or bytes; otherwise undefined. */
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

/** Returns a way to read that gives the right result for all kinds of Responses with known bodies, or undefined. */
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
