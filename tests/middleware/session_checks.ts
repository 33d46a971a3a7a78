/** sessions: cookies that were changed, keys that are replaced, ends, and every way to answer. @module */

import type { ApplicationFunction, Chunk, Environ, StartResponse } from "../../mod.ts";
import { type SessionOptions, sessions } from "../../middleware/mod.ts";
import { client } from "../../testing/mod.ts";
import { validator } from "../../wsgiref/validate.ts";
import { type Check, equal, ok, thrownBy } from "../wsgiref/check.ts";

const KEY = "a".repeat(32);
const OTHER = "b".repeat(32);
const PLAIN = [["Content-Type", "text/plain"]] as const;

interface Data {
  count: number;
  text: string;
}

/** Counts visits; `/read` only reads, `/clear` empties. */
function counting(environ: Environ & { "tsgi.session": Partial<Data> }, startResponse: StartResponse): string[] {
  const session = environ["tsgi.session"];
  if (environ.PATH_INFO === "/") session.count = (session.count ?? 0) + 1;
  if (environ.PATH_INFO === "/clear") delete session.count;
  if (environ.PATH_INFO === "/large") session.text = "\u00e9".repeat(4000);
  startResponse("200 OK", PLAIN);
  return [String(session.count ?? "none")];
}

const site = (options: Partial<SessionOptions> = {}): ApplicationFunction =>
  validator(sessions<Data>({ keys: [KEY], ...options })(counting));

/** Makes a request with a cookie; returns the body and the cookie that is set. */
async function visit(app: ApplicationFunction, path: string, cookie?: string): Promise<[string, string | null]> {
  const headers = cookie === undefined ? {} : { Cookie: cookie };
  const response = await client(app, { raise: true }).get(path, { headers });
  return [await response.text(), response.headers.get("Set-Cookie")];
}

/** A cookie that some site has set. */
async function cookieOf(app: ApplicationFunction): Promise<string> {
  return (await visit(app, "/"))[1]?.split(";")[0] as string;
}

/** Every way in which an application may begin and give its body. */
const ways: readonly (readonly [string, (session: Partial<Data>) => ApplicationFunction, string])[] = [
  ["an array", (session) => (_environ, startResponse) => {
    session.count = 1;
    startResponse("200 OK", PLAIN);
    return ["a", "b"];
  }, "ab"],
  ["a promise", (session) => async (_environ, startResponse) => {
    await Promise.resolve();
    session.count = 1;
    startResponse("200 OK", PLAIN);
    return "ab";
  }, "ab"],
  ["write", (session) => (_environ, startResponse) => {
    session.count = 1;
    const write = startResponse("200 OK", PLAIN);
    write("a");
    write("b");
    return ["c"];
  }, "abc"],
  ["an awaited write", (session) => async (_environ, startResponse) => {
    session.count = 1;
    const write = startResponse("200 OK", PLAIN);
    await write("a");
    await write("b");
    return ["c"];
  }, "abc"],
  ["a generator", (session) =>
    function* (_environ, startResponse): Generator<Chunk> {
      session.count = 1;
      startResponse("200 OK", PLAIN);
      yield "a";
      yield "b";
    }, "ab"],
  ["an async generator", (session) =>
    async function* (_environ, startResponse): AsyncGenerator<Chunk> {
      await Promise.resolve();
      session.count = 1;
      startResponse("200 OK", PLAIN);
      yield "a";
      yield "b";
    }, "ab"],
  ["a generator without blocks", (session) =>
    // deno-lint-ignore require-yield
    function* (_environ, startResponse): Generator<Chunk> {
      session.count = 1;
      startResponse("200 OK", PLAIN);
    }, ""],
  ["a second head", (session) => (_environ, startResponse) => {
    session.count = 1;
    startResponse("500 Oops", PLAIN);
    startResponse("200 OK", PLAIN, new Error("replaced"));
    return ["a"];
  }, "a"],
];

const wrong: readonly (readonly [string, () => unknown])[] = [
  ["no keys", () => sessions({ keys: [] })],
  ["a short key", () => sessions({ keys: [KEY, "short"] })],
  ["keys that are no list", () => sessions({ keys: KEY as unknown as string[] })],
  ["a name that is none", () => sessions({ keys: [KEY], name: "a b" })],
  ["a lifetime of nothing", () => sessions({ keys: [KEY], maxAge: 0 })],
  ["__Host- with a path", () => sessions({ keys: [KEY], name: "__Host-a", path: "/x" })],
];

export const sessionChecks: readonly Check[] = [
  {
    name: "19.23 sessions: kept, changed, only read, and removed when empty",
    run: async () => {
      const visitor = client(site(), { raise: true });
      const get = async (path: string) => {
        const response = await visitor.get(path);
        return [await response.text(), response.headers.has("Set-Cookie"), response.headers.get("Vary")];
      };
      equal(await get("/read"), ["none", false, "Cookie"]);
      equal(await get("/"), ["1", true, "Cookie"]);
      equal(await get("/"), ["2", true, "Cookie"]);
      equal(await get("/read"), ["2", false, "Cookie"]);
      equal(await get("/clear"), ["none", true, "Cookie"]);
      equal(await get("/read"), ["none", false, "Cookie"]);
    },
  },
  {
    name: "19.23 sessions: attributes of the cookie",
    run: async () => {
      const set = async (options: Partial<SessionOptions>, url = "/") =>
        (await client(site(options)).get(url)).headers.get("Set-Cookie")?.replace(/=[\w.-]+/, "=");
      equal(await set({}), "session=; Max-Age=1209600; Path=/; HttpOnly; SameSite=Lax");
      equal(await set({}, "https://localhost/"), "session=; Max-Age=1209600; Path=/; Secure; HttpOnly; SameSite=Lax");
      equal(
        await set({ name: "__Host-s", maxAge: 60, sameSite: "Strict" }),
        "__Host-s=; Max-Age=60; Path=/; Secure; HttpOnly; SameSite=Strict",
      );
    },
  },
  {
    name: "19.24 sessions: a cookie with any character changed, cut or added is an empty session",
    run: async () => {
      const app = site();
      const cookie = await cookieOf(app);
      equal((await visit(app, "/read", cookie))[0], "1");
      const at = "session=".length;
      const changed = [...cookie].slice(at).map((character, i) =>
        `${cookie.slice(0, at + i)}${character === "A" ? "B" : "A"}${cookie.slice(at + i + 1)}`
      );
      // The last character of the signature has two bits that are not part of it.
      for (const forged of changed.slice(0, -1)) equal((await visit(app, "/read", forged))[0], "none", forged);
      const value = cookie.slice(at);
      const [data = "", mac = ""] = value.split(".");
      const forged = [
        "",
        ".",
        "..",
        data,
        `${data}.`,
        `.${mac}`,
        mac,
        `${value}.`,
        `${value}.x`,
        `x${value}`,
        `${data}.${data}`,
      ];
      for (const one of [...forged, "a".repeat(4000), `${btoa('{"data":{"count":9},"expires":9e9}')}.${mac}`]) {
        equal((await visit(app, "/read", `session=${one}`))[0], "none", one);
      }
    },
  },
  {
    name: "19.24 sessions: a forged cookie is removed, and one of another name or site is not good",
    run: async () => {
      const [, set] = await visit(site(), "/read", "session=forged");
      ok(set?.startsWith("session=; Max-Age=0; "), String(set));
      const value = (await cookieOf(site({ name: "first" }))).slice("first=".length);
      equal((await visit(site({ name: "first" }), "/read", `first=${value}`))[0], "1");
      equal((await visit(site({ name: "second" }), "/read", `second=${value}`))[0], "none");
      equal((await visit(site({ name: "first", keys: [OTHER] }), "/read", `first=${value}`))[0], "none");
    },
  },
  {
    name: "19.24 sessions: keys are replaced one after the other",
    run: async () => {
      const old = await cookieOf(site());
      const both = site({ keys: [OTHER, KEY] });
      equal((await visit(both, "/read", old))[0], "1");
      const [count, set] = await visit(both, "/", old);
      equal(count, "2");
      const renewed = set?.split(";")[0] as string;
      const gone = site({ keys: [OTHER] });
      equal([(await visit(gone, "/read", renewed))[0], (await visit(gone, "/read", old))[0]], ["2", "none"]);
    },
  },
  {
    name: "19.24 sessions: they end, and a request in the second half of their life renews them",
    run: async () => {
      const app = site({ maxAge: 100 });
      const cookie = await cookieOf(app);
      const now = Date.now;
      try {
        const begin = now();
        const later = async (seconds: number) => {
          Date.now = () => begin + seconds * 1000;
          return await visit(app, "/read", cookie);
        };
        equal(await later(40), ["1", null]);
        const [count, renewed] = await later(60);
        equal([count, renewed?.startsWith("session=ey")], ["1", true]);
        equal((await later(102))[0], "none");
        equal((await visit(app, "/read", renewed?.split(";")[0]))[0], "1");
      } finally {
        Date.now = now;
      }
    },
  },
  ...ways.map(([name, make, body]): Check => ({
    name: `19.25 sessions: ${name}`,
    run: async () => {
      const inner: ApplicationFunction<Environ & { "tsgi.session": Partial<Data> }> = (environ, startResponse) =>
        make(environ["tsgi.session"])(environ, startResponse);
      const app = validator(sessions<Data>({ keys: [KEY] })(inner));
      const visitor = client(app, { raise: true });
      for (let i = 0; i < 2; i++) { // the second time the session has not changed
        const response = await visitor.get("/");
        equal([response.status, await response.text(), response.headers.has("Set-Cookie")], [200, body, i === 0]);
      }
    },
  })),
  {
    name: "19.25 sessions: a change behind the head, a session that is too large, and errors of the application",
    run: async () => {
      const late = sessions<Data>({ keys: [KEY] })((environ, startResponse) => {
        startResponse("200 OK", PLAIN);
        environ["tsgi.session"].count = 1;
        return [];
      });
      ok(await thrownBy(() => client(late, { raise: true }).get("/")) instanceof TypeError, "a frozen session");
      const error = await thrownBy(() => client(site(), { raise: true }).get("/large"));
      ok(String(error).includes("browsers keep at most 4096"), String(error));
      const failing = sessions<Data>({ keys: [KEY] })((environ, startResponse) => {
        environ["tsgi.session"].count = 1;
        startResponse("200 OK", PLAIN);
        throw new RangeError("after the head");
      });
      ok(await thrownBy(() => client(failing, { raise: true }).get("/")) instanceof RangeError, "the error itself");
      const malformed = sessions<Data>({ keys: [KEY] })((environ, startResponse) => {
        environ["tsgi.session"].count = 1;
        startResponse("200", PLAIN);
        return [];
      });
      equal((await thrownBy(() => client(malformed, { raise: true }).get("/")) as Error).name, "StartResponseError");
    },
  },
  ...wrong.map(([name, action]): Check => ({
    name: `19.25 sessions: ${name} is refused`,
    run: async () => ok(await thrownBy(action) instanceof TypeError, "no TypeError"),
  })),
];
