/**
 * Finds the first difference between what tsgi and node made of the same bytes. Later ones are consequences of it.
 *
 * @module
 */

import type { Observation, ObservedRequest } from "./observation.ts";

/** In what the two differ. */
export type Aspect =
  | "accepted by node only"
  | "accepted by tsgi only"
  | "refused by node only"
  | "refused by tsgi only"
  | "status"
  | "method"
  | "target"
  | "version"
  | "fields"
  | "body"
  | "trailers"
  | "persistence";

/** The first difference. */
export interface Difference {
  readonly aspect: Aspect;
  /** The request that differs, or is there for one of the two only. */
  readonly tsgi: ObservedRequest | undefined;
  readonly node: ObservedRequest | undefined;
  /** The request before it. */
  readonly before: ObservedRequest | undefined;
  /** Why each of the two refused what it did not accept; `""` if it did not refuse. */
  readonly tsgiReason: string;
  readonly nodeReason: string;
  readonly tsgiStatus: number;
  readonly nodeStatus: number;
  readonly tsgiClosed: boolean;
  readonly nodeClosed: boolean;
  readonly input: string;
}

/** The first difference, or undefined. */
export function differenceOf(input: string, tsgi: Observation, node: Observation): Difference | undefined {
  const count = Math.max(tsgi.requests.length, node.requests.length);
  const found = (aspect: Aspect, i: number): Difference => ({
    aspect,
    tsgi: tsgi.requests[i],
    node: node.requests[i],
    before: node.requests[i - 1],
    tsgiReason: tsgi.reason,
    nodeReason: node.reason,
    tsgiStatus: tsgi.status,
    nodeStatus: node.status,
    tsgiClosed: tsgi.closed,
    nodeClosed: node.closed,
    input,
  });
  for (let i = 0; i < count; i++) {
    const [ours, theirs] = [tsgi.requests[i], node.requests[i]];
    if (ours === undefined) return found("accepted by node only", i);
    if (theirs === undefined) return found("accepted by tsgi only", i);
    const aspect = inRequest(ours, theirs);
    if (aspect !== undefined) return found(aspect, i);
  }
  // Neither body became complete. tsgi reports that to the application only, and then ends the connection too.
  if (count > 0 && tsgi.requests[count - 1]?.body === null && tsgi.closed && node.closed) return undefined;
  if ((tsgi.reason === "") !== (node.reason === "")) {
    return found(tsgi.reason === "" ? "refused by node only" : "refused by tsgi only", count);
  }
  if (tsgi.status !== node.status) return found("status", count);
  if (tsgi.closed !== node.closed) return found("persistence", count);
  const trailers = node.requests.findIndex((request) => request.trailers.length > 0);
  return trailers < 0 ? undefined : found("trailers", trailers);
}

function inRequest(ours: ObservedRequest, theirs: ObservedRequest): Aspect | undefined {
  if (ours.method !== theirs.method) return "method";
  if (ours.target !== theirs.target) return "target";
  if (ours.version !== theirs.version) return "version";
  if (textOfFields(ours.fields) !== textOfFields(theirs.fields)) return "fields";
  return ours.body === theirs.body ? undefined : "body";
}

/** Fields as text, whatever their order. */
export function textOfFields(fields: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(fields).sort(([a], [b]) => a < b ? -1 : 1));
}
