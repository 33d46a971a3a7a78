/**
 * The front ends, as data: the program, the protocol that it speaks to us, and the page with its config.
 *
 * @module
 */

import type { CellPlan } from "../behaviour/cell.ts";

/** A front end program. */
export type FrontProgram = "nginx" | "apache";

/** One way of putting tsgi behind a front end. */
export interface Front {
  readonly name: string;
  readonly program: FrontProgram;
  readonly protocol: NonNullable<CellPlan["protocol"]>;
  /** The page of docs/deploy/ whose config is run. */
  readonly page: string;
}

/** A cell behind a front end. */
export interface FrontPlan extends CellPlan {
  readonly front: Front;
}

function front(program: FrontProgram, protocol: Front["protocol"]): Front {
  return { name: `${program}-${protocol}`, program, protocol, page: `${protocol}.md` };
}

/** All of them. */
export const fronts: readonly Front[] = [
  front("apache", "cgi"),
  front("apache", "fastcgi"),
  front("apache", "scgi"),
  front("apache", "uwsgi"),
  front("apache", "http"),
  front("nginx", "fastcgi"),
  front("nginx", "scgi"),
  front("nginx", "uwsgi"),
  front("nginx", "http"),
];

/** The cells: each front end with each runtime behind it. */
export const frontPlans: readonly FrontPlan[] = fronts.flatMap((front) =>
  (["node", "deno", "bun"] as const).map((runtime): FrontPlan => ({
    name: `${front.name}-${runtime}`,
    kind: "front",
    runtime,
    runner: `${runtime}.ts`,
    protocol: front.protocol,
    labels: [front.name, front.protocol, front.program],
    front,
  }))
);
