/** A user's program that cannot serve. The first argument says why. It catches no errors. */

import process from "node:process";
import { type Application, type ApplicationFunction, makeServer, serve, type ServeOptions } from "../../mod.ts";

const app: ApplicationFunction = (_environ, startResponse) => {
  startResponse("200 OK", [["Content-Type", "text/plain"]]);
  return ["served"];
};
const quiet = { port: 0, onListen: () => {} };

switch (process.argv[2]) {
  case "port in use": {
    const first = await serve(app, quiet);
    await serve(app, { ...quiet, port: first.address.port });
    break;
  }
  case "unknown host":
    await serve(app, { ...quiet, hostname: "no.such.host.invalid" });
    break;
  case "foreign address":
    await serve(app, { ...quiet, hostname: "192.0.2.1" });
    break;
  case "bad option":
    await serve(app, { ...quiet, port: 99999 });
    break;
  case "unknown option":
    await serve(app, { ...quiet, prot: 1 } as ServeOptions);
    break;
  case "no application":
    await serve(42 as unknown as Application, quiet);
    break;
  case "IPv6": {
    const server = await serve(app, { ...quiet, hostname: "::1" });
    const response = await fetch(`http://[::1]:${server.address.port}/`);
    console.log(await response.text());
    await server.shutdown({ timeout: 0 });
    await server.finished;
    break;
  }
  case "makeServer": {
    const server = await makeServer("127.0.0.1", 0, app);
    const base = `http://127.0.0.1:${server.address.port}/`;
    const get = (): Promise<string> =>
      fetch(base).then(async (response) => `${await response.text()} ${response.headers.get("connection")}`);
    // One request each, of connections that were there before and after it was asked for.
    const early = get();
    await server.handleRequest();
    const one = server.handleRequest();
    const late = await get();
    await one;
    let answered = false;
    const third = get().then((text) => {
      answered = true;
      return text;
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    console.log(await early, "|", late, "|", answered);
    server.setApp((_environ, startResponse) => {
      startResponse("200 OK", []);
      return ["changed"];
    });
    const forever = server.serveForever();
    console.log(await third, "|", await get());
    await server.shutdown();
    await forever;
    const unserved = await makeServer("127.0.0.1", 0, app);
    const nobody = fetch(`http://127.0.0.1:${unserved.address.port}/`).then(() => "answered", () => "cut");
    const waiting = unserved.handleRequest();
    await waiting;
    await nobody;
    const left = fetch(`http://127.0.0.1:${unserved.address.port}/`).then(() => "answered", () => "cut");
    await new Promise((resolve) => setTimeout(resolve, 100));
    await unserved.shutdown();
    console.log(await left);
    break;
  }
  case "onListen throws": {
    const taken: { port: number }[] = [];
    const failed = await serve(app, {
      port: 0,
      onListen: (address) => {
        taken.push(address);
        throw new Error("not now");
      },
    }).then(() => "served", (error: Error) => error.message);
    console.log(failed, await fetch(`http://127.0.0.1:${taken[0]?.port}/`).then(() => "open", () => "closed"));
    break;
  }
  case "nobody reads stderr": {
    // The test closes its end of standard error; then each failed request writes its trace to it.
    const server = await serve((environ, startResponse) => {
      if (environ.PATH_INFO === "/fail") throw new Error("for the log");
      return app(environ, startResponse);
    }, { port: 0, onListen: ({ port }) => console.log(port) });
    process.stdin.once("data", async () => {
      const statuses: number[] = [];
      for (let i = 0; i < 5; i++) {
        statuses.push((await fetch(`http://127.0.0.1:${server.address.port}/fail`)).status);
      }
      console.log(statuses.join());
      process.exit(0);
    });
    break;
  }
  case "signal": {
    const { signal } = new AbortController();
    let listeners = 0;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>): void => {
      listeners++;
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>): void => {
      listeners--;
      remove(...args);
    };
    const most: number[] = [];
    for (let round = 0; round < 20; round++) {
      const server = await serve(app, { ...quiet, signal });
      most.push(listeners);
      await server.shutdown({ timeout: 0 });
    }
    await serve(app, { ...quiet, signal, onListen: () => JSON.parse("?") }).catch(() => {});
    const simple = await makeServer("127.0.0.1", 0, app, { signal });
    await simple.shutdown();
    console.log(Math.max(...most), listeners);
    break;
  }
  case "bad time-out": {
    const server = await serve(app, quiet);
    const simple = await makeServer("127.0.0.1", 0, app);
    const told: string[] = [];
    for (const timeout of [-1, NaN, "5", [], {}, true]) {
      for (const one of [server, simple]) {
        const stopping = one.shutdown({ timeout } as { timeout: number }); // whoever throws here ends the program
        told.push(await stopping.then(() => "stopped", (error: Error) => `${error.name} ${error.message}`));
      }
    }
    const answer = await fetch(`http://127.0.0.1:${server.address.port}/`);
    console.log(
      new Set(told).size,
      told.every((text) => text.startsWith("OptionError Option timeout:")),
      answer.status,
    );
    await answer.text();
    await Promise.all([server.shutdown({ timeout: 0 }), simple.shutdown({ timeout: 0 })]);
    break;
  }
  case "a log that nobody reads": {
    // With onListen left as it is: it writes to standard error too. Each request adds 300 KB to the log.
    const line = `${"x".repeat(999)}\n`;
    const server = await serve((environ, startResponse) => {
      for (let i = 0; i < 300; i++) environ["wsgi.errors"].write(line);
      return app(environ, startResponse);
    }, { port: 0 });
    console.log(server.address.port);
    break;
  }
  case "shutdown at once": {
    // A connection that has just been told to end is cut in the same turn, again and again.
    for (let round = 0; round < 50; round++) {
      const server = await serve(app, quiet);
      await (await fetch(`http://127.0.0.1:${server.address.port}/`)).text();
      await server.shutdown({ timeout: 0 });
    }
    console.log("done");
    break;
  }
  case "shutdown": {
    // A request that runs at shutdown is finished, one that does not end is cut, and then the program ends by itself.
    let running = 0;
    const server = await serve(async (environ, startResponse) => {
      running++;
      startResponse("200 OK", [["Content-Type", "text/plain"]]);
      await new Promise((resolve) => environ.PATH_INFO === "/slow" ? setTimeout(resolve, 300) : undefined);
      return ["finished"];
    }, quiet);
    const base = `http://127.0.0.1:${server.address.port}`;
    const slow = fetch(`${base}/slow`).then((response) => response.text());
    const stuck = fetch(`${base}/stuck`).then(() => "answered", () => "cut");
    while (running < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    await server.shutdown({ timeout: 1 });
    console.log(await slow, await stuck, await fetch(base).then(() => "open", () => "closed"));
    break;
  }
}
