/**
 * The Python processes: what happens when one of them, or tsgi, ends, hangs or is replaced, on each runtime.
 */

import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Runtime } from "../../server_process.ts";
import { runs, Served, until } from "./served.ts";

const RUNTIMES: readonly Runtime[] = ["node", "deno", "bun"];
const SUITE = new URL(".", import.meta.url).pathname;

describe.each(RUNTIMES)("the Python processes on %s", (runtime) => {
  let served: Served;
  let project = "";
  beforeAll(async () => {
    project = mkdtempSync(join(tmpdir(), "tsgi-project-"));
    writeFileSync(join(project, "version.py"), `text = "one"\n`);
    writeFileSync(
      join(project, "site_app.py"),
      `import sys
sys.path.append(${JSON.stringify(SUITE)})
import suite, version
def application(environ, start_response):
    if environ["PATH_INFO"] == "/version":
        return suite.text(start_response, version.text)
    return suite.application(environ, start_response)
`,
    );
    const limits = { processes: 2, timeout: 1, queueLimit: 4, queueTimeout: 10 };
    served = await Served.start(runtime, "site_app:application", { ...limits, cwd: project });
  }, 40_000);
  afterAll(async () => {
    await served?.stop();
    rmSync(project, { recursive: true, force: true });
  });
  const pids = async (): Promise<Set<string>> => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => served.ask("/nap?0.05")));
    return new Set(answers.filter(({ status }) => status === 200).map(({ text }) => text));
  };

  it("20.4 after SIGKILL of a process the running request gets 502 or is cut, and the next ones 200", async () => {
    const [victim] = await pids();
    const asked = [served.ask("/nap?0.4"), served.ask("/nap?0.4"), served.ask("/"), served.ask("/")];
    await new Promise((resolve) => setTimeout(resolve, 100)); // both processes have begun
    process.kill(Number(victim), "SIGKILL");
    const statuses = (await Promise.all(asked)).map(({ status }) => status).toSorted();
    expect(statuses).toEqual([200, 200, 200, 502]);
    for (let i = 0; i < 10; i++) expect((await served.ask("/")).status).toBe(200);
    await until("two processes again", async () => (await pids()).size === 2);
    expect(await pids()).not.toContain(victim);
  });

  it("20.3 a request that makes no progress gets 504, and its process is replaced; others wait or get 503", async () => {
    const before = await pids();
    const stuck = served.ask(runtime === "deno" ? "/stubborn" : "/nap?30"); // one that ignores SIGABRT gets SIGKILL
    const free = served.ask("/nap?0.3");
    expect((await free).status).toBe(200);
    const start = performance.now();
    expect((await stuck).status).toBe(504);
    expect(performance.now() - start).toBeLessThan(8000);
    await until("two processes again", async () => (await pids()).size === 2);
    expect([...await pids()].filter((pid) => !before.has(pid))).toHaveLength(1);
    expect(served.process.stderr).toMatch(/504: the application made no progress for 1 s/);
    if (runtime !== "deno") {
      await until("where it was stuck", () => /File ".*suite\.py", line \d+ in nap/.test(served.process.stderr));
    }
    const crowd = await Promise.all(Array.from({ length: 9 }, () => served.ask("/nap?0.5")));
    expect(crowd.map(({ status }) => status).toSorted()).toEqual([...Array(6).fill(200), ...Array(3).fill(503)]);
  });

  it("20.3 a reload serves the new code from new processes; one that does not load changes nothing", async () => {
    const before = await pids();
    writeFileSync(join(project, "version.py"), "text = broken\n");
    served.process.kill("SIGHUP");
    await until("the failure", () => /NameError/.test(served.told.reload ?? ""));
    expect([(await served.ask("/version")).text, await pids()]).toEqual(["one", before]);
    writeFileSync(join(project, "version.py"), `text = "two, and longer"\n`);
    served.process.kill("SIGHUP");
    const failures: number[] = [];
    await until("the reload", async () => {
      const { status } = await served.ask("/nap?0.01");
      if (status !== 200) failures.push(status);
      return served.told.reload === "loaded";
    });
    expect([failures, (await served.ask("/version")).text]).toEqual([[], "two, and longer"]);
    expect([...await pids()].some((pid) => before.has(pid))).toBe(false);
    await until(
      "the end of the old ones",
      async () => (await Promise.all([...before].map((pid) => runs(Number(pid))))).every((one) => !one),
    );
  });

  it("20.3 text for wsgi.errors is progress, also while close() runs", async () => {
    const before = await pids();
    expect((await served.ask("/chatty-close")).text).toBe("chat");
    await until("the end of close()", () => served.process.stderr.includes("closing 9\n"));
    expect(await pids()).toEqual(before);
  });

  it("20.4 signals that mean something to the command, and reach all processes of it, end no Python process", async () => {
    const before = await pids();
    for (
      const name of ["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGTTIN", "SIGTTOU", "SIGWINCH"] as const
    ) {
      const asked = Array.from({ length: 2 }, () => served.ask("/nap?0.1"));
      for (const pid of before) process.kill(Number(pid), name);
      expect([name, (await Promise.all(asked)).map(({ status }) => status)]).toEqual([name, [200, 200]]);
      expect([name, await pids()]).toEqual([name, before]);
    }
  });

  it("20.4 SIGTERM to a Python process replaces it and loses no request", async () => {
    const before = await pids();
    process.kill(Number([...before][0]), "SIGTERM");
    const statuses = new Set<number>();
    await until("its end", async () => {
      statuses.add((await served.ask("/nap?0.01")).status);
      return !await runs(Number([...before][0]));
    });
    expect([...statuses]).toEqual([200]);
  });

  it("20.5 nothing is left after SIGKILL of tsgi, nor of its folder", async () => {
    const children = [...await pids()].map(Number);
    void served.ask("/endless?left").catch(() => {});
    await served.ask("/");
    served.process.kill("SIGKILL");
    await served.process.exited;
    await until("the end of the processes", async () => (await Promise.all(children.map(runs))).every((one) => !one));
    expect(readdirSync(served.folder).filter((name) => name.startsWith("tsgi-python"))).toEqual([]);
  });
});

describe.each(RUNTIMES)("an application on %s", (runtime) => {
  it("20.4 a process whose threads run on notices the death of tsgi", async () => {
    const served = await Served.start(runtime, "suite:application");
    onTestFinished(() => served.stop());
    const pid = Number((await served.ask("/linger")).text);
    served.process.kill("SIGHUP");
    await until("the reload", () => served.told.reload === "loaded");
    await until("two beats behind the end of the main thread", () => existsSync(join(served.folder, "lingered")));
    expect([await runs(pid), served.process.stderr]).toEqual([true, ""]);
    served.process.kill("SIGKILL");
    await served.process.exited;
    await until("the end of the process", async () => !await runs(pid));
  }, 30_000);

  it("20.1 closes, and one that does not load says why", async () => {
    const served = await Served.start(runtime, "suite:application", {
      processes: 2,
      threads: 2,
      maxRequests: 5,
      queueTimeout: 0.3,
      bufferRequests: false,
    });
    onTestFinished(() => served.stop());
    const busy = await Promise.all(Array.from({ length: 5 }, () => served.ask("/nap?1.2")));
    expect(busy.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 200, 503]);

    const seen = new Set<number>();
    // Without bufferRequests the application gets its body as it arrives, and hears of a client that leaves.
    expect((await served.ask("/count", { method: "POST", body: "c".repeat(3_000_000) })).text).toBe("3000000");
    for (const whole of [true, false]) {
      const socket = await served.open("POST /halves HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
      let text = "";
      socket.setEncoding("latin1").on("data", (part) => text += part).on("error", () => {});
      socket.write("h".repeat(100_000));
      await until("the first half", () => /100000\n/.test(text));
      if (whole) {
        socket.write("h".repeat(100_000));
        await until("the second half", () => /100000\n[^]*100000\n/.test(text));
      }
      socket.destroy();
    }
    await until("the error", () => served.process.stderr.includes("cut: ConnectionError"));
    const more = async (): Promise<unknown> => seen.add(JSON.parse((await served.ask("/facts")).text).pid);
    await until("maxRequests", async () => await more() && seen.size > 3);
    served.process.kill("SIGTERM");
    expect((await served.process.exited).code).toBe(0);
    expect((await Promise.all([...seen].map(runs))).some((one) => one)).toBe(false);
    await expect(Served.start(runtime, "suite:nothing")).rejects.toThrow(
      /Cannot load the Python application suite:nothing: [^]*has no attribute 'nothing'/,
    );
    await expect(Served.start(runtime, "signal:raise_signal(9)")).rejects.toThrow(
      /Cannot load the Python application [^]*: the Python process was ended by SIGKILL/,
    );
    await expect(Served.start(runtime, "suite:application", { python: "/nowhere/python" })).rejects.toThrow(
      /Cannot load the Python application [^]*could not be started/,
    );
  }, 30_000);
});
