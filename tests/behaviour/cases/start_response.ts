/** Section 4 of the gateway rules: start_response. @module */

import { expect } from "vitest";
import { refusedCalls, takenCalls, thrownThings } from "../apps/start_response.ts";
import { field, fields, textOf } from "../response.ts";
import type { Case } from "../trial.ts";
import { cutOff, oneRequest } from "./reasons.ts";

const rules = (calls: readonly { readonly rule: string }[]): string[] => [...new Set(calls.map((c) => c.rule))];

const ORDER = "the front end writes the head in an order of its own";

/** Legal fields that front ends change. */
const REWRITTEN: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "R07 Date": { cgi: "Apache sends a Date of its own" },
  "R07 Trailer": { "apache-http": "mod_proxy drops Trailer", "apache-uwsgi": "mod_proxy drops Trailer" },
  "R07 Warning": { "apache-http": "mod_proxy drops a Warning that is none" },
};

/** Cases R. */
export const startResponseCases: readonly Case[] = [
  ...rules(refusedCalls).map((rule): Case => ({
    title: `${rule}: malformed arguments throw from startResponse`,
    check: async (t) => {
      const wrong: unknown[] = [];
      const client = await t.connect();
      for (const [row, call] of refusedCalls.entries()) {
        if (call.rule !== rule) continue;
        await client.request("GET", t.target(`/refused?row=${row}`));
        const response = await client.response();
        if (response.status !== 200 || textOf(response) !== "error") {
          wrong.push([call, response.status, textOf(response)]);
        }
      }
      expect(wrong).toEqual([]);
    },
  })),
  ...rules(takenCalls).map((rule): Case => ({
    title: `${rule}: legal arguments are sent as they are`,
    ...(Object.hasOwn(REWRITTEN, rule) ? { not: REWRITTEN[rule]! } : {}),
    check: async (t) => {
      const wrong: string[] = [];
      for (const [row, call] of takenCalls.entries()) {
        if (call.rule !== rule) continue;
        const response = await t.ask(`/taken?row=${row}`);
        const line = `${response.status} ${response.reason}`;
        const sent = (call.headers as [string, string][]).every(([n, v]) => fields(response, n).join() === v);
        // Over fetch, the host writes the reason.
        const status = t.cell.plan.kind === "socket"
          ? line === call.status
          : line.startsWith((call.status as string).slice(0, 3));
        if (!status || !sent || textOf(response) !== "taken") {
          wrong.push(JSON.stringify([call, response.raw, textOf(response)]));
        }
      }
      expect(wrong.join("\n")).toBe("");
    },
  })),
  {
    title: "R02 startResponse returns the write callable",
    check: async (t) => expect(await t.text("/returned")).toBe("function"),
  },
  ...([["good", "none", "no error, error"], ["bad", "none", "error, error"], [
    "good",
    "null",
    "no error, error",
  ]] as const).map(([first, exc, outcome]): Case => ({
    title: `R08, R12, R16 a second call without excInfo throws: first ${first}, excInfo ${exc}`,
    check: async (t) => expect(await t.text(`/twice?first=${first}&exc=${exc}`)).toBe(outcome),
  })),
  {
    title: "R08 a second call that is not caught is a 500",
    check: async (t) => expect((await t.ask("/twice-uncaught")).status).toBe(500),
  },
  {
    title: "R09 a call with excInfo before the head is sent replaces status and headers wholly",
    check: async (t) => {
      const response = await t.ask("/replaced");
      expect([response.status, field(response, "x-new"), field(response, "content-type")]).toEqual([
        503,
        "2",
        "text/new",
      ]);
      expect(fields(response, "x-old")).toEqual([]);
      expect(field(response, "content-length")).toBe("3");
      expect(textOf(response)).toBe("new");
    },
  },
  {
    title: "R16 by decision, any excInfo but null and undefined is an error",
    check: async (t) => {
      for (const row of thrownThings.keys()) {
        const response = await t.ask(`/replaced-by?row=${row}`);
        expect([row, response.status, textOf(response)]).toEqual([row, 203, "new"]);
      }
    },
  },
  {
    title:
      "R10 a call with excInfo after the head is sent throws that very object, and the response aborts although it is swallowed",
    not: cutOff,
    check: async (t) => {
      const client = await t.openLast("/too-late");
      await client.begun("begun;");
      await t.release();
      const response = await client.truncated();
      expect(response.status).toBe(200);
      expect((await t.until("the throw", (e) => e.thrown !== undefined)).thrown).toBe("identical");
      expect(textOf(response)).not.toContain("end");
    },
  },
  {
    title: "R11 startResponse puts no byte on the wire",
    check: async (t) => {
      const client = await t.open("/silent");
      await t.until("the call", (e) => e.waiting === 1);
      await t.fence();
      expect(client.seen).toBe(0);
      await t.release();
      expect(textOf(await client.response())).toBe("after");
    },
  },
  {
    title: "R13 the header list is copied at the call",
    check: async (t) => {
      const response = await t.ask("/mutated");
      expect(fields(response, "x-a")).toEqual(["before"]);
      expect(fields(response, "x-b")).toEqual([]);
      expect(fields(response, "x-evil")).toEqual([]);
    },
  },
  {
    title: "R14 the first iteration step may call startResponse",
    check: async (t) => {
      const response = await t.ask("/lazy");
      expect([response.status, textOf(response)]).toEqual([202, "lazy"]);
    },
  },
  ...([["nothing", "exhausted"], ["block", "a block"], ["empty", "an empty block, by decision"]] as const).map((
    [body, what],
  ): Case => ({
    title: `R15, B15 startResponse never called, ${what}: 500, one log entry, close() once`,
    check: async (t) => {
      const response = await t.ask(`/never?body=${body}`);
      expect(response.status).toBe(500);
      await t.logged(/start_?response/i);
      expect((await t.until("close()", (e) => e.closed !== undefined)).closed).toBe(1);
    },
  })),
  {
    title: "R17 repeated names stay separate fields in order",
    check: async (t) => {
      const response = await t.ask("/cookies");
      expect(fields(response, "set-cookie")).toEqual(["b=1", "a=2"]);
    },
  },
  {
    title: "R17 field lines keep their order and the letter case of their names",
    not: {
      fetch: "Headers sorts, joins and lower-cases what is not Set-Cookie",
      nginx: ORDER,
      cgi: ORDER,
      "apache-fastcgi": ORDER,
      "apache-scgi": ORDER,
      "apache-http": ORDER,
    },
    check: async (t) => {
      const response = await t.ask("/cookies");
      const mine = response.headers.filter(([n]) => /^(set-cookie|x-case|content-type)$/i.test(n));
      expect(mine).toEqual([["Set-Cookie", "b=1"], ["X-CaSe", "kept"], ["set-cookie", "a=2"], [
        "Content-Type",
        "text/plain",
      ], ["X-CaSe", "again"]]);
    },
  },
  {
    title: "startResponse and write of a finished request throw and do not touch the next one",
    not: oneRequest,
    check: async (t) => {
      const client = await t.open("/stale");
      expect(textOf(await client.response())).toBe("done");
      await t.release();
      await t.until("both calls", (e) => (e.stale as unknown[] | undefined)?.length === 2);
      await client.persists();
      expect((await t.record()).stale).toEqual(["error", "error"]);
    },
  },
];
