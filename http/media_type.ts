/**
 * Media types, their parameters, and the Accept field (RFC 9110 8.3.1, 12.5.1).
 *
 * @module
 */

import type { Environ } from "../core/contract/types.ts";
import { TOKEN, trimOws } from "../core/grammar.ts";

/** The part of the environ that has the fields of the request. */
export type RequestFields = Pick<Environ, `HTTP_${string}`>;

/** A media type with its parameters. */
export interface MediaType {
  /** Type and subtype in lower case: `"text/html"`. */
  readonly type: string;
  /** Parameters in order; names in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * One parameter at the start of a text: `; name=token` or `; name="quoted"`. Empty parameters are allowed. A value without
 * quotation marks may have the other characters of a boundary, `()/:=?`: some clients leave the marks out.
 */
const PARAMETER =
  /^[ \t]*;[ \t]*(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(?:([!#$%&'*+\-.^_`|~0-9A-Za-z()/:=?]+)|"((?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*)"))?/;

/** Parses a media type. Returns undefined for malformed text. */
export function mediaType(text: string): MediaType | undefined {
  const end = text.indexOf(";");
  const type = trimOws(end < 0 ? text : text.slice(0, end)).toLowerCase();
  const [main = "", sub = "", ...more] = type.split("/");
  if (more.length > 0 || !TOKEN.test(main) || !TOKEN.test(sub)) return undefined;
  const parameters = new Map<string, string>();
  for (let rest = end < 0 ? "" : text.slice(end); trimOws(rest) !== "";) {
    const [whole, name, token, quoted] = PARAMETER.exec(rest) ?? [];
    if (whole === undefined) return undefined;
    rest = rest.slice(whole.length);
    if (name === undefined) continue;
    const key = name.toLowerCase();
    if (!parameters.has(key)) parameters.set(key, token ?? (quoted as string).replace(/\\(.)/g, "$1"));
  }
  return { type, parameters };
}

interface Range {
  readonly media: MediaType;
  readonly quality: number;
}

/** How closely a range describes an offer: number of parameters above 2, subtype 2, type 1, anything 0; -1 for not. */
function closeness({ type, parameters }: MediaType, offer: MediaType): number {
  if (type === "*/*") return 0;
  if (type.endsWith("/*")) return offer.type.startsWith(type.slice(0, -1)) ? 1 : -1;
  if (type !== offer.type) return -1;
  for (const [name, value] of parameters) {
    if (offer.parameters.get(name)?.toLowerCase() !== value.toLowerCase()) return -1;
  }
  return 2 + parameters.size;
}

/** A weight (RFC 9110 12.4.2). Clients also write `.2`, and more than three digits. */
export const QUALITY: RegExp = /^(?:0?\.[0-9]+|0\.?|1(?:\.0*)?)$/;
const MEMBER = /(?:[^",]|"(?:[^"\\]|\\.)*"?)+/g; // of a list, commas in quotation marks included

function ranges(accept: string): Range[] {
  return (accept.match(MEMBER) ?? []).flatMap((member) => {
    const media = mediaType(member);
    if (media === undefined) return [];
    const q = media.parameters.get("q") ?? "1";
    if (!QUALITY.test(q)) return [];
    // Behind q stand extensions of Accept, which say nothing about the type.
    const own = [...media.parameters].slice(0, [...media.parameters.keys()].indexOf("q") >>> 0);
    return [{ media: { type: media.type, parameters: new Map(own) }, quality: Number(q) }];
  });
}

/**
 * Chooses the media type that the client likes best (RFC 9110 12.5.1). Of equal ones the one wins that the client names
 * more closely, `application/json` before a type that only `*\/*` covers, and then the earliest offer. Without an Accept
 * field, or where all of it is malformed, that is the first.
 *
 * @param offers What the application can send, best first.
 * @returns one of the offers, or undefined where the client accepts none: answer 406, or send the first all the same.
 *
 * @example
 * ```ts
 * import { negotiate } from "tsgi/http";
 * import { createEnviron } from "tsgi/testing";
 * const environ = createEnviron({ headers: { Accept: "text/html, application/json;q=0.9, *\/*;q=0.1" } });
 * console.assert(negotiate(environ, ["application/json", "text/html"]) === "text/html");
 * console.assert(negotiate(environ, ["image/png", "image/webp"]) === "image/png");
 * ```
 */
export function negotiate<const Offer extends string>(
  environ: RequestFields,
  offers: readonly Offer[],
): Offer | undefined {
  const accepted = ranges(environ.HTTP_ACCEPT ?? "");
  if (accepted.length === 0) return offers[0];
  let best: Offer | undefined;
  let bestQuality = 0;
  let bestCloseness = -1;
  for (const offer of offers) {
    const media = mediaType(offer);
    if (media === undefined) throw new TypeError(`negotiate: expected a media type, got ${JSON.stringify(offer)}`);
    let quality = 0;
    let closest = -1;
    for (const range of accepted) {
      const close = closeness(range.media, media);
      if (close <= closest) continue;
      closest = close;
      quality = range.quality;
    }
    if (quality === 0 || quality < bestQuality || (quality === bestQuality && closest <= bestCloseness)) continue;
    [best, bestQuality, bestCloseness] = [offer, quality, closest];
  }
  return best;
}
