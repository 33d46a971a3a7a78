/**
 * The pool of workers, with processes and a clock of its own: what it starts and whom it signals, event by event.
 *
 * Workers are numbered in the order in which they are started. A script is a line of events:
 *
 *     want 2    so many are wanted: TTIN, TTOU          ready 1   worker 1 serves
 *     renew 2   HUP, with so many                       exit 1 3  it ends with this status, or by this signal
 *     winch     WINCH                                   10s       time passes
 *     reopen    USR1                                    hello 1   worker 1 takes signals
 *
 * What comes of it is one line too: `+3` for a worker that is started, `+3 former` for one with the settings of the
 * generation before, `TERM 1` and `USR1 1` for what is sent, `failed` and `proved` for what the arbiter is told.
 */

import type { ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Log } from "../../cli/log.ts";
import { Pool, type PoolSettings } from "../../cli/pool.ts";

const SETTINGS: PoolSettings = { timeout: 30, bootTimeout: 120, gracefulTimeout: 10, aborts: false };
const BASE = 2 ** 30; // beyond the ids of real processes

/** A pool with processes that are only told of. */
class House {
  /** What the pool has done. */
  readonly done: string[] = [];
  /** What it has logged. */
  readonly log: string[] = [];
  readonly #children: EventEmitter[] = [];
  readonly #settings: PoolSettings;
  readonly #pool: Pool;

  constructor(settings: PoolSettings) {
    const say = (text: string): void => void this.log.push(text.replace(/pid:(\d+)/, (_, pid) => `pid:${pid - BASE}`));
    const log = { debug: say, info: say, warning: say, error: say, critical: say } as unknown as Log;
    this.#settings = settings;
    this.#pool = new Pool(
      {
        spawn: (_age, former) => {
          const number = this.#children.length + 1;
          this.done.push(`+${number}${former ? " former" : ""}`);
          const send = ({ signal }: { signal: string }): number => this.done.push(`${signal.slice(3)} ${number}`);
          const child = Object.assign(new EventEmitter(), { pid: BASE + number, connected: true, send });
          this.#children.push(child);
          return child as unknown as ChildProcess;
        },
        signal: (pid, name) => void this.done.push(`${name.slice(3)} ${pid - BASE}`),
        changed: () => {},
        proved: () => void this.done.push("proved"),
        ready: () => {},
        failed: () => void this.done.push("failed"),
        files: () => {},
        notLoaded: () => {},
        timedOut: () => {},
        childExit: () => {},
      },
      log,
      settings,
    );
  }

  /** Runs a script. */
  run(script: string): void {
    for (const event of script.split(", ")) this.#happen(event);
  }

  #happen(event: string): void {
    const [word = "", number = "", how = ""] = event.split(" ");
    const child = this.#children[Number(number) - 1];
    if (/^\d+s$/.test(word)) this.#pass(parseInt(word));
    else if (word === "want") this.#pool.want(Number(number));
    else if (word === "renew") this.#pool.renew(Number(number), this.#settings);
    else if (word === "winch") this.#pool.stopWorkers();
    else if (word === "reopen") this.#pool.reopenLogs();
    else if (word === "exit") child?.emit("exit", /^\d/.test(how) ? Number(how) : null, /^\d/.test(how) ? null : how);
    else child?.emit("message", { type: word });
  }

  /** Lets time pass, in which the workers that are ready beat. */
  #pass(seconds: number): void {
    for (let second = 0; second < seconds; second++) {
      for (const child of this.#children) child.emit("message", { type: "beat", connections: 0 });
      vi.advanceTimersByTime(1000);
    }
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const TWO = "want 2, ready 1, ready 2"; // two workers serve
const TWO_SERVE = "+1, +2, proved";

it.each<[title: string, script: string, done: string]>([
  // Which of them go.
  ["12 TTOU while a newer one boots stops that one", "want 1, ready 1, want 2, want 1", "+1, proved, +2, TERM 2"],
  ["12 TTOU of one that is ready stops the oldest", `${TWO}, want 1`, `${TWO_SERVE}, TERM 1`],
  [
    "12 of several that boot the youngest goes",
    "want 1, ready 1, want 3, want 2",
    "+1, proved, +2, +3, TERM 3",
  ],
  [
    "12 TTOU in a reload stops a new one, and the old ones serve on",
    `${TWO}, renew 2, want 1, ready 3`,
    `${TWO_SERVE}, +3, +4, TERM 4, proved, TERM 1, TERM 2`,
  ],
  [
    "12 a reload stops an old one for each new one that is ready",
    `${TWO}, renew 2, ready 3, ready 4`,
    `${TWO_SERVE}, +3, +4, proved, TERM 1, TERM 2`,
  ],
  [
    "12 a worker that is full serves until another is ready",
    "want 1, ready 1, full 1, ready 2",
    "+1, proved, +2, TERM 1",
  ],
  // One that boots may serve already.
  [
    "12 a reload ends one that boots with TERM, and kills it after 2 s",
    "want 1, renew 1, 3s",
    "+1, TERM 1, +2, KILL 1",
  ],
  ["12 TTOU too", "want 2, ready 1, want 1, 3s", "+1, +2, proved, TERM 2, KILL 2"],
  ["12 one that turns out to serve has the graceful time", "want 1, renew 1, ready 1, 9s", "+1, TERM 1, +2"],
  ["12 and no more than that", "want 1, renew 1, ready 1, 12s", "+1, TERM 1, +2, KILL 1"],
  // USR1 waits for the hello.
  ["9 USR1 to one that has said hello", "want 1, hello 1, reopen", "+1, USR1 1"],
  ["9 USR1 to one that has not", "want 1, reopen, reopen, hello 1", "+1, USR1 1"],
  ["9 a hello alone", "want 1, hello 1", "+1"],
  // A reload that hangs.
  [
    "10 an old worker that dies while the new ones boot is replaced, with its own settings",
    `${TWO}, renew 2, exit 1 SIGKILL`,
    `${TWO_SERVE}, +3, +4, +5 former`,
  ],
  [
    "10 its replacement is stopped when a new one is ready",
    `${TWO}, renew 2, exit 1 SIGKILL, ready 3`,
    `${TWO_SERVE}, +3, +4, +5 former, proved, TERM 5`,
  ],
  [
    "10 its replacement is tried again, ever more slowly",
    `${TWO}, renew 2, exit 1 SIGKILL, exit 5 3, exit 6 3, 1s, exit 7 3`,
    `${TWO_SERVE}, +3, +4, +5 former, +6 former, +7 former`,
  ],
  [
    "10 a reload that hangs is given up after the boot time-out, with as many workers as before",
    `${TWO}, renew 3, 121s, exit 3 0, exit 4 0, exit 5 0, exit 1 SIGKILL`,
    `${TWO_SERVE}, +3, +4, +5, TERM 3, TERM 4, TERM 5, failed, +6`,
  ],
  [
    "10 HUP again keeps the old ones as they are",
    `${TWO}, renew 2, renew 2, exit 1 SIGKILL, ready 5`,
    `${TWO_SERVE}, +3, +4, TERM 3, TERM 4, +5, +6, +7 former, proved, TERM 7`,
  ],
  [
    "10 HUP while one of the proven generation boots lets it boot",
    "want 2, ready 1, renew 2, ready 2",
    "+1, +2, proved, +3, +4",
  ],
  [
    "10 after WINCH a reload that fails leaves what was there: nothing",
    `${TWO}, winch, exit 1 0, exit 2 0, renew 2, exit 3 3, exit 4 3`,
    `${TWO_SERVE}, TERM 1, TERM 2, +3, +4, failed`,
  ],
  ["10 a hang at the first start", "want 1, 119s, 2s", "+1, TERM 1, failed"],
  // One of several fails.
  ["11 one fails, another is ready: it is tried again", "want 2, exit 1 3, ready 2", "+1, +2, proved, +3"],
  ["11 one fails after another was ready", "want 2, ready 2, exit 1 3", "+1, +2, proved, +3"],
  ["11 all fail", "want 3, exit 1 3, exit 2 3, exit 3 3", "+1, +2, +3, failed"],
  [
    "11 all but one fail: those are tried again, the more of them the later",
    "want 3, exit 1 3, exit 2 3, ready 3, 1s",
    "+1, +2, +3, proved, +4, +5",
  ],
  [
    "11 one of a reload fails",
    `${TWO}, renew 2, exit 3 3, ready 4`,
    `${TWO_SERVE}, +3, +4, proved, +5, TERM 1`,
  ],
  ["11 all of a reload fail", `${TWO}, renew 2, exit 3 3, exit 4 3`, `${TWO_SERVE}, +3, +4, failed`],
])("14.%s", (_title, script, done) => {
  const house = new House(SETTINGS);
  house.run(script);
  expect(house.done.join(", ")).toBe(done);
});

it("14.10 without a boot time-out a worker may boot for ever", () => {
  const house = new House({ ...SETTINGS, bootTimeout: 0 });
  house.run("want 1, 1000s");
  expect(house.done).toEqual(["+1"]);
});

it("14.10 the log says how many serve, and that the files are newer", () => {
  const house = new House(SETTINGS);
  house.run(`${TWO}, renew 2, exit 1 SIGKILL, 121s`);
  const newer = "1 of 2 workers serve, and the files on disk are newer than what they have loaded";
  expect(house.log).toContain(`Worker (pid:1) was ended by SIGKILL: ${newer}`);
  expect(house.log).toContain("Worker (pid:3) has not loaded the application within 120 s (--boot-timeout)");
  expect(house.log).toContain(`Worker (pid:5) has not loaded the application within 120 s (--boot-timeout): ${newer}`);
});
