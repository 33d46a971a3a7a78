/**
 * Runs attacks against a server in a process of its own, beside a client that behaves well. Measures what that client
 * gets, how long an attack holds anything of the server, and what is left of it.
 *
 * @module
 */

import { setTimeout as pause } from "node:timers/promises";
import { Client } from "../behaviour/client.ts";
import { textOf } from "../behaviour/response.ts";
import { type Cell, mib, until } from "../lifecycle/cell.ts";
import type { Heap } from "../lifecycle/programs/heap.ts";
import type { Attack } from "./attacks.ts";
import { median, noService, probe, type Service } from "./probe.ts";
import { Visitor } from "./visitor.ts";

const CLOCK = 2500; // ms: a time-out fires up to a second late, and the machine of a test is busy
const LINGER = 2000; // ms that the server waits for a client to close
const BEGINNING = 1000; // ms that the connections of the table take until their time-outs begin to run
const PROBE_SOCKETS = 3; // that the well-behaved client may have at a time
const SAMPLE = 25; // ms
const WARMING = 50; // requests
const MEDIAN = 250; // ms that the well-behaved client may wait: in the middle, and at most
const LONGEST = 5000;
const LEFT = 12 * 1048576; // bytes: adapters/batched_transport.ts keeps up to 8 MiB of output memory for later use

/** How attacks are run. */
export interface SiegeOptions {
  /** The unit of the time-outs, in ms. */
  readonly unit: number;
  /** How many connections for each one in the table. */
  readonly factor?: number;
  /** The certificate that signed the server's: it speaks TLS. */
  readonly ca?: string | undefined;
}

/** What became of the connections of one attack. */
export interface Outcome {
  readonly attack: Attack;
  /** What each connection got. */
  readonly texts: readonly string[];
  /** Seconds that the longest connection lasted, of those whose client reads. */
  readonly lasted: number;
}

/** What was measured while some attacks were run at a time. */
export interface Report {
  readonly outcomes: readonly Outcome[];
  readonly service: Service;
  /** Seconds from the last connection until the server had ended all. */
  readonly seconds: number;
  /** Bytes by which the process grew at most. */
  readonly growth: number;
  /** The most sockets that it had. */
  readonly sockets: number;
  /** Bytes that are alive afterwards and were not before. */
  readonly left: number;
}

/** A server under attack. */
export class Siege {
  readonly #cell: Cell;
  readonly #options: SiegeOptions;
  readonly #idle: number; // sockets of the server without connections

  private constructor(cell: Cell, options: SiegeOptions, idle: number) {
    this.#cell = cell;
    this.#options = options;
    this.#idle = idle;
  }

  /** Warms a server up: what a first request needs is there then. */
  static async of(cell: Cell, options: SiegeOptions): Promise<Siege> {
    const idle = cell.sockets();
    let left = WARMING;
    await probe(cell.port, () => left-- === 0, options.ca);
    await until("the first clients to be gone", () => cell.sockets() <= idle);
    return new Siege(cell, options, idle);
  }

  /** Connections of the server. */
  get #connections(): number {
    return this.#cell.sockets() - this.#idle;
  }

  /** Runs attacks at the same time. Throws if the server holds a connection for longer than it may. */
  async run(...attacks: readonly Attack[]): Promise<Report> {
    const cell = this.#cell;
    const { unit, factor = 1, ca } = this.#options;
    const before = await this.#heap();
    const resident = cell.memory("VmRSS");
    let growth = 0;
    let sockets = 0;
    const sampling = setInterval(() => {
      growth = Math.max(growth, cell.memory("VmRSS") - resident);
      sockets = Math.max(sockets, this.#connections);
    }, SAMPLE);
    let over = false;
    const service = noService();
    const probing = probe(cell.port, () => over, ca, service);
    const crowds: Visitor[][] = attacks.map(() => []);
    let seconds: number;
    try {
      await Promise.all(attacks.map((attack, i) => this.#begin(attack, crowds[i] as Visitor[])));
      const began = performance.now();
      const { length } = service.fresh;
      await until(
        `the server to end the connections: ${attacks.map(({ name }) => name).join(", ")}`,
        // A client that came behind them has been answered: so all of them have been accepted.
        () => this.#connections <= PROBE_SOCKETS && service.fresh.length > length + 1,
        Math.max(...attacks.map(({ units }) => units)) * unit + CLOCK + LINGER + factor * BEGINNING,
        () => `${this.#connections} are left\n${cell.output.slice(-2000)}`,
      );
      seconds = (performance.now() - began) / 1000;
      await pause(2 * SAMPLE); // what it has sent last arrives
    } finally {
      over = true;
      clearInterval(sampling);
      for (const { socket } of crowds.flat()) socket.destroy();
      await probing;
    }
    const outcomes = attacks.map((attack, i) => outcomeOf(attack, crowds[i] as Visitor[]));
    const after = await this.#heap();
    return { outcomes, service, seconds, growth, sockets, left: after.used - before.used };
  }

  async #begin(attack: Attack, visitors: Visitor[]): Promise<void> {
    const { unit, factor = 1 } = this.#options;
    for (const all = attack.connections * factor; visitors.length < all;) {
      const some = await Visitor.crowd(this.#cell.port, Math.min(50, all - visitors.length));
      for (const visitor of some) attack.begin(visitor, visitors.push(visitor) - 1, unit);
    }
  }

  /** The live heap of the server, once it has no connection but ours. */
  async #heap(): Promise<Heap> {
    await until("no connection to be left", () => this.#connections <= 0);
    const client = await Client.connect(this.#cell.port, this.#options.ca);
    try {
      await client.request("GET", "/heap", { headers: [["Connection", "close"]] });
      return JSON.parse(textOf(await client.response(20_000))) as Heap;
    } finally {
      client.dispose();
      await until("no connection to be left", () => this.#connections <= 0);
    }
  }
}

function outcomeOf(attack: Attack, visitors: readonly Visitor[]): Outcome {
  const lasted = visitors.map(({ since, ended }) => ended > 0 ? (ended - since) / 1000 : 0);
  return { attack, texts: visitors.map(({ text }) => text), lasted: Math.max(...lasted) };
}

/** What the well-behaved client waited, in ms: in the middle, and at most. */
export function waits(
  { fresh, kept }: Service,
): { readonly count: number; readonly median: number; readonly longest: number } {
  const all = [...fresh, ...kept];
  return { count: all.length, median: median(all), longest: Math.max(...all) };
}

/** What is wrong with a report, as far as one of its attacks is concerned. */
export function faults(report: Report, attack: Attack, { unit, factor = 1 }: SiegeOptions): string[] {
  const { outcomes, service, growth, sockets, left } = report;
  const outcome = outcomes.find((one) => one.attack === attack) as Outcome;
  const most = outcomes.reduce((sum, one) => sum + one.attack.mib * Math.max(1, one.texts.length / 100), 0);
  const { median, longest } = waits(service);
  const found: string[] = [];
  const { answer, most: limited } = attack;
  const others = answer === undefined ? [] : outcome.texts.filter((text) => !answer.test(text));
  if (others.length > 0) found.push(`${others.length} connections got ${JSON.stringify(others[0])}, not ${answer}`);
  const limit = (attack.units * unit + CLOCK + factor * BEGINNING) / 1000;
  if (answer !== undefined && outcome.lasted > limit) found.push(`it took ${outcome.lasted} s, not ${limit}`);
  if (growth > most * 2 ** 20) found.push(`the process grew by ${mib(growth)} MiB, not ${most}`);
  if (left > LEFT) found.push(`${left} bytes are left, not ${LEFT}`);
  if (limited !== undefined && sockets > limited) found.push(`the server had ${sockets} connections, not ${limited}`);
  if (limited === undefined && service.failures.length > 0) {
    found.push(`the other client was not served: ${service.failures[0]}`);
  }
  if (median > MEDIAN || longest > LONGEST) found.push(`the other client waited ${median} ms, and ${longest} at most`);
  return found;
}

/** The figures of a report, in a line. */
export function told({ service, seconds, growth, sockets, left }: Report): string {
  const { count, median, longest } = waits(service);
  return `${count} answers, median ${median.toFixed(1)} ms, longest ${longest.toFixed(0)} ms; over after ` +
    `${seconds.toFixed(1)} s; at most ${sockets} sockets, +${mib(growth)} MiB; ${
      (left / 1024).toFixed(0)
    } KiB are left`;
}
