/**
 * The error log: the life of the processes in gunicorn's form, and what applications write to `wsgi.errors`.
 *
 *     [2026-11-21 04:32:22 +0000] [4711] [INFO] Booting worker with pid: 4712
 *
 * @module
 */

import process from "node:process";
import { zone } from "./access_format.ts";
import { LogFile } from "./log_file.ts";
import type { LoggingSettings, LogLevel } from "./settings/logging.ts";

const LEVELS: readonly LogLevel[] = ["debug", "info", "warning", "error", "critical"];

/** An error log. */
export class Log {
  #file: LogFile;
  #path: string;
  #least: number;

  /**
   * Opens the error log that the settings name.
   *
   * @throws the system's error when it cannot be written.
   */
  constructor({ errorLogfile, logLevel }: Pick<LoggingSettings, "errorLogfile" | "logLevel">) {
    this.#path = errorLogfile;
    this.#file = new LogFile(errorLogfile);
    this.#least = LEVELS.indexOf(logLevel);
  }

  /** Goes on as other settings say; stays as it is when their file cannot be written. */
  change({ errorLogfile, logLevel }: Pick<LoggingSettings, "errorLogfile" | "logLevel">): void {
    this.#least = LEVELS.indexOf(logLevel);
    if (errorLogfile === this.#path) return;
    try {
      this.#file = new LogFile(errorLogfile);
      this.#path = errorLogfile;
    } catch (error) {
      this.error(`Cannot write the error log: ${(error as Error).message}`);
    }
  }

  /** Writes a report. */
  report(level: LogLevel, message: string): void {
    if (LEVELS.indexOf(level) < this.#least) return;
    this.#file.write(`${stamp(new Date())} [${process.pid}] [${level.toUpperCase()}] ${message}\n`);
  }

  /** For who looks for a fault in tsgi. */
  debug(message: string): void {
    this.report("debug", message);
  }

  /** What happens in the course of things. */
  info(message: string): void {
    this.report("info", message);
  }

  /** What somebody may want to change. */
  warning(message: string): void {
    this.report("warning", message);
  }

  /** What has failed. */
  error(message: string): void {
    this.report("error", message);
  }

  /** What has failed and cost requests. */
  critical(message: string): void {
    this.report("critical", message);
  }

  /** Writes text as it is: that of `wsgi.errors`. */
  raw(text: string): void {
    this.#file.write(text);
  }

  /** Opens the file anew. */
  reopen(): void {
    try {
      this.#file.reopen();
    } catch (error) {
      this.error(`Cannot reopen the error log: ${(error as Error).message}`);
    }
  }
}

function stamp(date: Date): string {
  const two = (number: number): string => String(number).padStart(2, "0");
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `[${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${zone(date)}]`;
}
