/**
 * Measures the peak memory of one transfer: a fresh process, one connection, and VmHWM at the end.
 *
 * @module
 */

import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { Cell, type CellPlan, mib } from "./cell.ts";
import { BLOCK, SLOW_BYTES, SLOW_PAUSE } from "./programs/pace.ts";

/** Which side is the slower one: in an upload the application, in a download the client. */
export type Direction = "upload" | "download";
/** The directions. */
export const directions: readonly Direction[] = ["upload", "download"];

/** The figures, in bytes. */
export interface Figures {
  readonly cell: string;
  readonly direction: Direction;
  readonly once: number;
  readonly twice: number;
  readonly bare: number;
}

const MIB = 1048576;
const OVER_BARE = 32 * MIB;
const OVER_ONCE = 8 * MIB;

/** Sends or receives this many bytes, and checks that all arrived. */
function transfer(port: number, direction: Direction, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port });
    const block = Buffer.alloc(BLOCK);
    let head = "";
    let headLength = 0;
    let left = direction === "upload" ? bytes : 0;
    let got = 0;
    let mark = SLOW_BYTES;
    const more = (): void => {
      while (left > 0) {
        left -= BLOCK;
        if (!socket.write(block)) return;
      }
    };
    const whole = (): boolean => headLength > 0 && (direction === "upload" || got - headLength === bytes);
    socket.on("error", reject).on("drain", more).on("data", (data) => {
      got += data.length;
      if (headLength === 0) {
        head += data.toString("latin1");
        headLength = head.indexOf("\r\n\r\n") + 4;
        if (headLength === 3) headLength = 0;
      }
      if (whole()) socket.destroy();
      if (got < mark || direction === "upload") return;
      mark += SLOW_BYTES;
      socket.pause();
      pause(SLOW_PAUSE).then(() => socket.resume());
    });
    socket.on("close", () => {
      const good = whole() && /^HTTP\/1\.1 200 /.test(head) && left <= 0;
      if (good) resolve();
      else {reject(
          new Error(`${direction} of ${bytes}: ${left} left, ${got} got, ${JSON.stringify(head.slice(0, 200))}`),
        );}
    });
    if (direction === "download") socket.write(`GET /download?bytes=${bytes} HTTP/1.1\r\nHost: h\r\n\r\n`);
    else socket.write(`POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: ${bytes}\r\n\r\n`);
    more();
  });
}

async function peak(plan: CellPlan, direction: Direction, bytes: number, bare: boolean): Promise<number> {
  const cell = await Cell.start(plan, { bare });
  try {
    await transfer(cell.port, direction, bytes);
    return cell.memory("VmHWM");
  } catch (error) {
    throw new Error(`${plan.name}${bare ? ", bare" : ""}: ${(error as Error).message}\n${cell.output}`);
  } finally {
    await cell.stop();
  }
}

/** Measures a cell in one direction, with `bytes` and twice as many. */
export async function measure(plan: CellPlan, direction: Direction, bytes: number): Promise<Figures> {
  const once = await peak(plan, direction, bytes, false);
  const twice = await peak(plan, direction, 2 * bytes, false);
  const bare = await peak(plan, direction, bytes, true);
  return { cell: plan.name, direction, once, twice, bare };
}

/** Describes what is wrong with the figures. Empty if nothing is. */
export function verdict({ once, twice, bare }: Figures): string {
  const faults: string[] = [];
  if (once > bare + OVER_BARE) faults.push(`${mib(once - bare)} MiB over bare`);
  if (twice > once + OVER_ONCE) faults.push(`grows by ${mib(twice - once)} MiB`);
  return faults.join(", ");
}
