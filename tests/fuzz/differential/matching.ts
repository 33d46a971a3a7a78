/**
 * What the classes of differences have in common: which side refused, and why; and what tsgi changes in fields on purpose.
 *
 * @module
 */

import { type Difference, textOfFields } from "./compare.ts";
import { environOf, type ObservedRequest } from "./observation.ts";

/** Whether a difference belongs to a class. */
export type Matcher = (difference: Difference) => boolean;

/** A class of requests that tsgi refuses for `reason` and node accepts. */
export function refusedByTsgi(reason: RegExp): Matcher {
  return ({ aspect, tsgiReason }) => aspect === "accepted by node only" && reason.test(tsgiReason);
}

/** A class of requests that node refuses with `code` and tsgi accepts. */
export function refusedByNode(code: RegExp): Matcher {
  return ({ aspect, nodeReason }) => aspect === "accepted by tsgi only" && code.test(nodeReason);
}

/** A class of bodies that node refuses with `code`. */
export function bodyRefusedByNode(code: RegExp, input: RegExp): Matcher {
  return (one) =>
    one.aspect === "body" && one.node?.body === null && code.test(one.nodeReason) && input.test(one.input);
}

/** The fields that node tells, as an application of tsgi gets them, with one adaptation after another. */
const ADAPTATIONS: readonly (readonly [name: string, adapt: (request: ObservedRequest) => ObservedRequest])[] = [
  ["underscore", (request) => without(request, (name) => name.includes("_"))],
  ["proxy", (request) => without(request, (name) => name.toLowerCase() === "proxy")],
  ["absolute-form", ({ fields, ...others }) => {
    const authority = /^https?:\/\/([^/?]*)/i.exec(others.target)?.[1];
    return { ...others, fields: authority === undefined ? fields : { ...fields, HTTP_HOST: authority } };
  }],
  ["leading-zeros", ({ fields, ...others }) => {
    const length = fields.CONTENT_LENGTH?.replace(/^0+(?=[0-9])/, "");
    return { ...others, fields: length === undefined ? fields : { ...fields, CONTENT_LENGTH: length } };
  }],
];

/** Whether the fields are the same but for the adaptations, of which `name` is the first that changes something. */
export function adaptedFields(name: string): Matcher {
  return ({ aspect, tsgi, node }) => {
    if (aspect !== "fields" || tsgi === undefined || node === undefined) return false;
    let request = node;
    let first = "";
    for (const [one, adapt] of ADAPTATIONS) {
      const adapted = adapt(request);
      if (first === "" && textOfFields(adapted.fields) !== textOfFields(request.fields)) first = one;
      request = adapted;
    }
    return first === name && textOfFields(request.fields) === textOfFields(tsgi.fields);
  };
}

function without(request: ObservedRequest, leftOut: (name: string) => boolean): ObservedRequest {
  const raw = (request.raw ?? []).filter(([name]) => !leftOut(name));
  return { ...request, raw, fields: environOf(raw) };
}

/** Whether a chunked body has a trailer with this name: a line behind a last chunk. */
export function hasTrailer(input: string, name: RegExp): boolean {
  const blocks = [...input.matchAll(/\r\n0+[^\r\n]*\r\n((?:[^\r\n]+\r\n)+)\r\n/g)].map(([, lines]) => lines as string);
  return blocks.some((lines) => lines.split("\r\n").some((line) => name.test(line.split(":")[0] as string)));
}
