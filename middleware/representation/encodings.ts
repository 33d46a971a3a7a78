/**
 * The Accept-Encoding field: which content coding the client prefers (RFC 9110 12.5.3).
 *
 * @module
 */

import { QUALITY } from "../../http/media_type.ts";

const ELEMENT = /^([!#$%&'*+\-.^_`|~0-9a-z]+)(?:[ \t]*;[ \t]*q=([0-9.]*))?$/;

/**
 * Chooses a content coding.
 *
 * @param field Accept-Encoding as the client sent it; undefined where it sent none, which means no coding.
 * @param available The codings that the server has, the best first. The best one wins among those of equal weight.
 * @returns a coding, or undefined for none (`identity`). That is also the choice where the client accepts nothing that
 *   there is: an answer that it may be unable to read is better than none.
 *
 * @example
 * ```ts
 * import { chooseEncoding } from "./encodings.ts";
 * console.assert(chooseEncoding("gzip, br;q=0.9", ["br", "gzip"]) === "gzip");
 * console.assert(chooseEncoding("*", ["br"]) === "br" && chooseEncoding("br;q=0", ["br"]) === undefined);
 * ```
 */
export function chooseEncoding<T extends string>(field: string | undefined, available: readonly T[]): T | undefined {
  if (field === undefined || field === "" || available.length === 0) return undefined;
  const weights = new Map<string, number>();
  for (const element of field.toLowerCase().split(",")) {
    const match = ELEMENT.exec(element.trim());
    const [, name = "", weight = "1"] = match ?? [];
    if (name === "" || !QUALITY.test(weight)) continue;
    weights.set(name === "x-gzip" ? "gzip" : name, Number(weight));
  }
  const weightOf = (name: string): number => weights.get(name) ?? weights.get("*") ?? 0;
  // Without a weight of its own, no coding is worth less than any coding that the client names.
  let best = weights.get("identity") ?? 0;
  let chosen: T | undefined;
  for (const name of available) {
    const weight = weightOf(name);
    if (weight > 0 && (chosen === undefined ? weight >= best : weight > best)) {
      best = weight;
      chosen = name;
    }
  }
  return chosen;
}
