/**
 * The boot time-out, for what runs in the process that waits for it: an arbiter reads a configuration file, and
 * `--check-config` loads an application. A worker that loads one is ended by its arbiter.
 *
 * @module
 */

/**
 * Waits for something no longer than the boot time-out; 0 means for ever.
 *
 * @param seconds The setting `bootTimeout`.
 * @param failure What has not happened, at the beginning of the message: `it was not read`.
 * @throws {Error} (as a rejection) when the time is over.
 */
export async function withinBootTimeout<T>(work: Promise<T>, seconds: number, failure: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`${failure} within ${seconds} s (--boot-timeout)`);
    // Where there is no limit, a timer is there all the same: without one Node ends when nothing is left to do.
    timer = seconds === 0 ? setInterval(() => {}, 60_000) : setTimeout(() => reject(error), seconds * 1000);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
