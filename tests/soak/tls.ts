/**
 * TLS under load by fresh and kept connections, while the certificate is exchanged again and again, in turn by a change of
 * its files and by HUP. No request may fail.
 *
 * @module
 */

import { copyFileSync, readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { type Runtime, SITE, until, withCommand } from "../cli/command.ts";
import { lossOf, underLoad } from "../cli/load.ts";
import { Certificates, type Pair } from "../tls/certificates.ts";

/** How much is done. */
export interface TlsScale {
  readonly requests: number;
  /** The least number of exchanges. */
  readonly exchanges: number;
}

/** Exchanges the certificate of a command under load. */
export async function exchanges(
  runtime: Runtime,
  scale: TlsScale,
  say: (line: string) => void,
): Promise<string[]> {
  const made = new Certificates();
  const names = { names: ["DNS:localhost"] };
  const pairs: readonly Pair[] = [made.signed("one", names), made.signed("two", names)];
  const [cert, key] = [made.path("live.pem"), made.path("live.key")];
  const use = (round: number): void => {
    const pair = pairs[round % 2] as Pair;
    copyFileSync(pair.cert, cert);
    copyFileSync(pair.key, key);
  };
  use(0);
  let lost: string[] = [];
  try {
    const ca = readFileSync(made.ca, "utf8");
    await withCommand(runtime, { args: ["-w", "2", "--certfile", cert, "--keyfile", key, SITE] }, async (command) => {
      let rounds = 0;
      let hups = 0;
      const tally = await underLoad(command, async (sofar) => {
        while (sofar.answered < scale.requests || rounds < scale.exchanges) {
          use(++rounds);
          if (rounds % 2 === 0) {
            command.kill("SIGHUP");
            await command.logged(/All workers are ready/, ++hups + 1, 60_000);
          } else {
            const used = (): number => [...command.log.matchAll(/are in use/g)].length;
            const before = used();
            await until("the change to be seen", () => used() >= before + 2, 60_000);
          }
          await pause(200);
        }
      }, { ca, gap: 0 });
      lost = lossOf(tally, `${runtime}: TLS, ${rounds - hups} changes of the files, ${hups} HUPs`, say);
    });
  } finally {
    made.remove();
  }
  return lost;
}
