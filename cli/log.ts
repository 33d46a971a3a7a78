/**
 * The error log: messages about the processes, in gunicorn's format, and what applications write to `wsgi.errors`.
 *
 *     [2026-11-21 04:32:22 +0000] [4711] [INFO] Booting worker with pid: 4712
 *
 * With `errorLogJson`, each message and each text that an application writes is a JSON object on one line.
 *
 * @module
 */

import process from "node:process";
import { writeStderr } from "../adapters/stderr.ts";
import { zone } from "./access_format.ts";
import { jsonLine } from "./json_line.ts";
import { LogFile } from "./log_file.ts";
import { standardOf } from "./log_open.ts";
import type { LoggingSettings, LogLevel } from "./settings/logging.ts";
import type { Identity } from "./user.ts";

const LEVELS: readonly LogLevel[] = ["debug", "info", "warning", "error", "critical"];
const LAST_LINES = 300; // ms that a slow reader has to take the rest at the end
const LINE_WAIT = 100; // ms that text without a line end waits for the rest of its line
const MOST_HELD = 65536; // code units of waiting text

/** The settings that an error log depends on. */
export type ErrorLogSettings = Pick<LoggingSettings, "errorLogfile" | "errorLogJson" | "logLevel">;

/** The keys of a JSON object in the error log, and their meanings. */
export const ERROR_KEYS: Readonly<Record<string, string>> = {
  time: "time in UTC, `2026-11-21T04:32:22.123Z`",
  level: "`debug`, `info`, `warning`, `error` or `critical`; `error` for what an application writes",
  pid: "process id, a number",
  source: "`tsgi`, or `wsgi.errors` for what an application writes and for reports about its requests",
  message: "the text, with its line ends between lines",
};

/** An error log. */
export class Log {
  #owner: Identity | undefined;
  #file: LogFile;
  #path: string;
  #least: number;
  #json: boolean;
  #held = ""; // text of an application, until its line ends
  #timer: ReturnType<typeof setTimeout> | undefined;
  #kept: string[] | undefined; // lines that wait, while there are such

  /**
   * Opens the error log that the settings name. As root, it changes the owner of the file to `owner`.
   *
   * @throws the system's error when the log cannot be opened for writing.
   */
  constructor({ errorLogfile, errorLogJson, logLevel }: ErrorLogSettings, owner?: Identity) {
    this.#owner = owner;
    this.#path = errorLogfile;
    this.#json = errorLogJson;
    this.#file = this.#open(errorLogfile);
    this.#least = LEVELS.indexOf(logLevel);
    process.on("exit", () => this.#file.lastMoment());
  }

  #open(path: string): LogFile {
    return new LogFile({
      path,
      standard: 2,
      owner: this.#owner,
      delay: 0,
      reportsItself: true,
      lost: (lines, why) => this.warning(`Lines of the error log were lost here: ${lines} (${why})`),
      failed: (why) => this.error(`Cannot reopen the error log: ${why}`),
      instead: standardOf(path, 2) === undefined ? writeStderr : undefined, // e.g. when the disk is full
    });
  }

  /** Applies other settings. The file stays as it is when the new one cannot be opened. */
  change({ errorLogfile, errorLogJson, logLevel }: ErrorLogSettings, owner?: Identity): void {
    this.#owner = owner;
    this.#least = LEVELS.indexOf(logLevel);
    this.#json = errorLogJson;
    if (errorLogfile === this.#path) return;
    try {
      const old = this.#file;
      this.#file = this.#open(errorLogfile);
      this.#path = errorLogfile;
      void old.close();
    } catch (error) {
      this.error(`Cannot write the error log: ${(error as Error).message}`);
    }
  }

  /** Writes a message, if its level is logged. */
  report(level: LogLevel, message: string): void {
    if (LEVELS.indexOf(level) < this.#least) return;
    const line = this.#json
      ? this.#object(level, "tsgi", message)
      : `${stamp(new Date())} [${process.pid}] [${level.toUpperCase()}] ${message}\n`;
    if (level === "info" && this.#kept !== undefined) return void this.#kept.push(line);
    this.release();
    this.#file.write(line);
  }

  #object(level: LogLevel, source: string, message: string): string {
    const all = { time: new Date().toISOString(), level, pid: process.pid, source, message };
    return `${jsonLine(all, this.#file.mostLine)}\n`;
  }

  /**
   * Keeps lines about normal events back, until `release` or a line about something else. With the level `debug` it does
   * nothing.
   */
  hold(): void {
    if (this.#least > 0) this.#kept ??= [];
  }

  /** Writes the lines that were kept back. */
  release(): void {
    const lines = this.#kept;
    this.#kept = undefined;
    for (const line of lines ?? []) this.#file.write(line);
  }

  /** Drops the lines that were kept back. */
  drop(): void {
    this.#kept = undefined;
  }

  /** Logs a detail for debugging tsgi itself. */
  debug(message: string): void {
    this.report("debug", message);
  }

  /** Logs a normal event. */
  info(message: string): void {
    this.report("info", message);
  }

  /** Logs something that an administrator may want to change. */
  warning(message: string): void {
    this.report("warning", message);
  }

  /** Logs a failure. */
  error(message: string): void {
    this.report("error", message);
  }

  /** Logs a failure that has cost requests. */
  critical(message: string): void {
    this.report("critical", message);
  }

  /** Writes text of `wsgi.errors` unchanged. In JSON, text up to one that ends with a line end is one object. */
  raw(text: string): void {
    if (!this.#json) return this.#file.write(text);
    this.#held += text;
    if (this.#held.endsWith("\n") || this.#held.length > MOST_HELD) this.#releaseText();
    else this.#timer ??= setTimeout(() => this.#releaseText(), LINE_WAIT);
  }

  #releaseText(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const message = this.#held.replace(/\n$/, "");
    this.#held = "";
    if (message !== "") this.#file.write(this.#object("error", "wsgi.errors", message));
  }

  /** Reopens the file. */
  reopen(): void {
    this.#file.reopen();
  }

  /** Settles when all text is written or, if the reader takes nothing, after a short time. */
  flush(): Promise<void> {
    this.release();
    this.#releaseText();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, LAST_LINES);
      this.#file.flush().then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

function stamp(date: Date): string {
  const two = (number: number): string => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `[${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${zone(date)}]`;
}
