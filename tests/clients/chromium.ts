/**
 * Controls a headless Chromium over the DevTools protocol.
 *
 * `--remote-debugging-port=0` makes it print the address of a WebSocket. Commands carry an id and their answers the same
 * id; everything else that arrives is an event. A page is a session: its messages carry the session's name.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { stopChild } from "./example.ts";
import { find } from "./tool.ts";

const START_LIMIT = 20_000; // ms

const flags: readonly string[] = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0"],
];

/** An event of the protocol. */
export interface ChromiumEvent {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

interface Message extends Partial<ChromiumEvent> {
  readonly id?: number;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

interface Waiting {
  readonly resolve: (result: Readonly<Record<string, unknown>>) => void;
  readonly reject: (error: Error) => void;
}

/** A running Chromium with one empty page. */
export class Chromium {
  /** Every event of the page so far. */
  readonly events: ChromiumEvent[] = [];
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #waiting = new Map<number, Waiting>();
  #socket: WebSocket | undefined;
  #session: string | undefined;
  #lastId = 0;

  private constructor(child: ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
  }

  /** Starts Chromium with a fresh profile and opens an empty page; `more` are flags for it. */
  static async start(more: readonly string[] = []): Promise<Chromium> {
    const profile = await mkdtemp(join(tmpdir(), "tsgi-chromium-"));
    const child = spawn(find("chromium") ?? "chromium", [
      ...flags,
      ...more,
      `--user-data-dir=${profile}`,
      "about:blank",
    ], {
      env: { ...process.env, HOME: profile, XDG_CONFIG_HOME: profile, XDG_CACHE_HOME: profile },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const chromium = new Chromium(child, profile);
    try {
      await chromium.#connect(await devtools(child));
    } catch (error) {
      await chromium.stop();
      throw error;
    }
    return chromium;
  }

  /** Sends a command to the page, or to the browser while there is no page, and waits for its answer. */
  command(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<Readonly<Record<string, unknown>>> {
    const id = ++this.#lastId;
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#socket?.send(JSON.stringify({ id, method, params, ...session }));
    });
  }

  /** Evaluates an expression in the page. */
  async evaluate(expression: string): Promise<unknown> {
    const { result } = await this.command("Runtime.evaluate", { expression, returnByValue: true });
    return (result as { readonly value?: unknown }).value;
  }

  /** Ends the browser and removes its profile. */
  async stop(): Promise<void> {
    this.#socket?.close();
    await stopChild(this.#child, "chromium");
    // Its helpers may write for a moment longer.
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }

  async #connect(address: string): Promise<void> {
    const socket = this.#socket = new WebSocket(address);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => reject(new Error(`No WebSocket at ${address}`)));
    });
    socket.addEventListener("message", ({ data }) => this.#receive(JSON.parse(String(data)) as Message));
    socket.addEventListener("close", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("Chromium closed the connection"));
    });
    const { targetId } = await this.command("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.command("Target.attachToTarget", { targetId, flatten: true });
    this.#session = String(sessionId);
  }

  #receive({ id, method, params, result, error }: Message): void {
    if (id === undefined) {
      if (method !== undefined) this.events.push({ method, params: params ?? {} });
      return;
    }
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error !== undefined) waiting?.reject(new Error(error.message));
    else waiting?.resolve(result ?? {});
  }
}

/** The address that Chromium prints. */
function devtools(child: ChildProcess): Promise<string> {
  let err = "";
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => {
      clearTimeout(timer);
      reject(new Error(`chromium: ${why}\n${err}`));
    };
    const timer = setTimeout(() => fail(`no DevTools address within ${START_LIMIT} ms`), START_LIMIT);
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code, signal) => fail(`ended with ${code ?? signal}`));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      err += text;
      const address = /^DevTools listening on (ws:\/\/127\.0\.0\.1:\S+)$/m.exec(err)?.[1];
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address);
    });
  });
}
