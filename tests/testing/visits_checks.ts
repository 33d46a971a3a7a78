/** Checks of a test client over several requests: redirects and cookies. @module */

import { type Application } from "../../mod.ts";
import { client, CookieJar, RedirectError } from "../../testing/mod.ts";
import { type Check, equal, ok, thrownBy } from "../wsgiref/check.ts";

const plain: [string, string][] = [["Content-Type", "text/plain"]];

/** Where a redirect leads: status, method; the method and body that arrive. */
const redirects: readonly (readonly [status: number, method: string, after: string, body: string])[] = [
  [301, "GET", "GET", ""],
  [301, "POST", "GET", ""],
  [302, "POST", "GET", ""],
  [302, "PUT", "PUT", "spam"],
  [303, "POST", "GET", ""],
  [303, "PUT", "GET", ""],
  [303, "HEAD", "HEAD", ""],
  [307, "POST", "POST", "spam"],
  [307, "GET", "GET", ""],
  [308, "PUT", "PUT", "spam"],
];

function redirecting(status: number, location: string, seen: string[]): Application {
  return async (environ, startResponse) => {
    const body = new TextDecoder().decode(await environ["wsgi.input"].read());
    seen.push(
      `${environ.REQUEST_METHOD} ${environ.PATH_INFO}?${environ.QUERY_STRING} ${environ.CONTENT_TYPE ?? ""}${body}`,
    );
    const there = environ.PATH_INFO === "/a/there";
    startResponse(there ? "200 OK" : `${status} Moved`, there ? plain : [["Location", location]]);
    return [there ? "arrived" : "moved"];
  };
}

export const redirectChecks: readonly Check[] = [
  ...redirects.map(([status, method, after, body]): Check => ({
    name: `A ${status} redirect of ${method} asks with ${after}${body === "" ? "" : ", body and all"}`,
    run: async () => {
      const seen: string[] = [];
      const visitor = client(redirecting(status, "there?x=1", seen), { redirect: "follow" });
      const options = method === "GET" || method === "HEAD" ? { method } : { method, body: "spam" };
      const response = await visitor.request("/a/here?y=2", options);
      const type = body === "" ? "" : "text/plain; charset=utf-8";
      equal([response.status, seen[1]], [200, `${after} /a/there?x=1 ${type}${body}`]);
      equal([response.history.map((one) => one.status), seen.length], [[status], 2]);
    },
  })),
  {
    name: "Redirects are not followed unless one says so; a response without Location is no redirect",
    run: async () => {
      const seen: string[] = [];
      equal((await client(redirecting(302, "/a/there", seen)).get("/a/here")).status, 302);
      equal((await client(redirecting(302, "/a/there", seen)).get("/a/here", { redirect: "follow" })).status, 200);
      const bare = client((_environ, startResponse) => {
        startResponse("304 Not Modified", []);
        return [];
      }, { redirect: "follow" });
      equal((await bare.get("/")).status, 304);
    },
  },
  {
    name: "17.4 A redirect that wants the body again gets a Blob and a FormData again",
    run: async () => {
      const form = new FormData();
      form.append("a", "spam");
      for (const body of [new Blob(["spam"]), form]) {
        const seen: string[] = [];
        await client(redirecting(307, "/a/there", seen), { redirect: "follow" }).post("/a/here", { body });
        ok(seen.length === 2 && seen[1]?.includes("spam"), `got ${JSON.stringify(seen)}`);
      }
    },
  },
  {
    name: "Redirects in circles, to another site, or with a body that is gone reject with a RedirectError",
    run: async () => {
      const seen: string[] = [];
      const circle = client(redirecting(302, "/a/here", seen), { redirect: "follow", maxRedirects: 5 });
      ok(await thrownBy(() => circle.get("/a/here")) instanceof RedirectError, "a circle");
      equal(seen.length, 6);
      const away = client(redirecting(302, "http://elsewhere.example/", []), { redirect: "follow" });
      ok(await thrownBy(() => away.get("/a/here")) instanceof RedirectError, "another site");
      const upload = client(redirecting(307, "/a/there", []), { redirect: "follow" });
      ok(
        await thrownBy(() => upload.post("/a/here", { body: ["spam"] })) instanceof RedirectError,
        "a body that is gone",
      );
      const same = client(redirecting(302, "http://localhost/a/there", []), { redirect: "follow" });
      equal((await same.get("/a/here")).status, 200);
    },
  },
];

const NOW = Date.UTC(2026, 0, 1);
const at = (path: string, host: string = "www.spam.example", secure: boolean = false) => ({ path, host, secure });

/** A Set-Cookie field, where it came from, where a request goes, the Cookie field then. */
const cookieRules: readonly (readonly [
  what: string,
  field: string,
  from: ReturnType<typeof at>,
  to: ReturnType<typeof at>,
  sent: string | null,
])[] = [
  ["a bare one", "a=1", at("/"), at("/x"), "a=1"],
  ["an empty value", "a=", at("/"), at("/"), "a="],
  ["a value with an equals sign", "a=b=c", at("/"), at("/"), "a=b=c"],
  ["no name", "=1", at("/"), at("/"), null],
  ["no equals sign", "a", at("/"), at("/"), null],
  ["the default path is that of the folder", "a=1", at("/x/y"), at("/x/z"), "a=1"],
  ["the default path does not go up", "a=1", at("/x/y"), at("/z"), null],
  ["Path", "a=1; Path=/x", at("/"), at("/x/y"), "a=1"],
  ["Path is on a segment boundary", "a=1; Path=/x", at("/"), at("/xy"), null],
  ["Path that is none", "a=1; Path=x", at("/"), at("/"), "a=1"],
  ["another host does not get it", "a=1", at("/"), at("/", "spam.example"), null],
  ["Domain: below it", "a=1; Domain=spam.example", at("/"), at("/", "eggs.spam.example"), "a=1"],
  ["Domain: a dot before it", "a=1; Domain=.spam.example", at("/"), at("/", "spam.example"), "a=1"],
  ["Domain: not what only ends like it", "a=1; Domain=spam.example", at("/"), at("/", "notspam.example"), null],
  ["Domain: a foreign one is dropped", "a=1; Domain=eggs.example", at("/"), at("/", "eggs.example"), null],
  ["Secure over http", "a=1; Secure", at("/"), at("/"), null],
  ["Secure over https", "a=1; Secure", at("/"), at("/", "www.spam.example", true), "a=1"],
  ["HttpOnly and SameSite", "a=1; HttpOnly; SameSite=Lax", at("/"), at("/"), "a=1"],
  ["Max-Age", "a=1; Max-Age=60", at("/"), at("/"), "a=1"],
  ["Max-Age=0", "a=1; Max-Age=0", at("/"), at("/"), null],
  ["Max-Age goes before Expires", "a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT", at("/"), at("/"), "a=1"],
  ["Expires in the past", "a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", at("/"), at("/"), null],
  ["Expires to come", "a=1; expires=Sat, 01 Jan 2028 00:00:00 GMT", at("/"), at("/"), "a=1"],
  ["Expires that is no date", "a=1; Expires=soon", at("/"), at("/"), "a=1"],
];

export const cookieChecks: readonly Check[] = [
  ...cookieRules.map(([what, field, from, to, sent]): Check => ({
    name: `A cookie: ${what}`,
    run: () => {
      const jar = new CookieJar(() => NOW);
      jar.receive(field, from);
      equal(jar.send(to), sent);
    },
  })),
  {
    name: "A cookie ends when its time has come, and is replaced by one of the same name, domain and path",
    run: () => {
      let now = NOW;
      const jar = new CookieJar(() => now);
      jar.receive("a=1; Max-Age=60; Path=/", at("/"));
      jar.receive("a=2; Max-Age=90; Path=/", at("/"));
      jar.receive("a=deep; Path=/x/y", at("/"));
      equal(jar.send(at("/x/y")), "a=deep; a=2");
      now += 91_000;
      equal([jar.send(at("/x/y")), [...jar].length], ["a=deep", 1]);
      jar.receive("a=; Path=/x/y; Max-Age=0", at("/"));
      equal([jar.get("a"), [...jar]], [null, []]);
    },
  },
  {
    name: "A client keeps cookies: they are sent, replaced, removed; one can put some in and take all out",
    run: async () => {
      const visitor = client((environ, startResponse) => {
        const headers: [string, string][] = [...plain];
        for (const cookie of environ.QUERY_STRING.split("&")) {
          if (cookie !== "") headers.push(["Set-Cookie", decodeURIComponent(cookie)]);
        }
        startResponse("200 OK", headers);
        return [environ.HTTP_COOKIE ?? "-"];
      });
      const sent = async (path: string): Promise<string> => (await visitor.get(path)).text();
      equal(await sent("/?a=1&b=2"), "-");
      equal(await sent("/"), "a=1; b=2");
      equal(await sent(`/?${encodeURIComponent("a=; Max-Age=0")}`), "a=1; b=2");
      equal([await sent("/"), visitor.cookies.get("b")], ["b=2", "2"]);
      visitor.cookies.set("c", "3");
      equal(await sent("/"), "b=2; c=3");
      visitor.cookies.clear("b");
      equal(await sent("/"), "c=3");
      equal(await (await visitor.get("/", { headers: { Cookie: "mine=1" } })).text(), "mine=1");
      visitor.cookies.clear();
      equal(await sent("/"), "-");
    },
  },
  {
    name: "Cookies of a redirect are sent to where it leads",
    run: async () => {
      const response = await client((environ, startResponse) => {
        if (environ.PATH_INFO === "/in") {
          startResponse("303 See Other", [["Location", "/"], ["Set-Cookie", "id=7; Path=/"]]);
          return [];
        }
        startResponse("200 OK", plain);
        return [environ.HTTP_COOKIE ?? "-"];
      }, { redirect: "follow" }).post("/in", { form: { name: "spam" } });
      equal(await response.text(), "id=7");
    },
  },
];
