/**
 * A router: chooses an application by method and path.
 *
 * Paths without parameters are found in one map. The others are in a tree with a level for each segment. At each level a
 * literal segment goes before a parameter, and a parameter before a wildcard, in whatever order the routes were added.
 * A search visits a node of the tree once at most.
 *
 * The router compares PATH_INFO as the server has decoded it, once, and changes nothing in it: `..`, `.`, `//` and `%2F`
 * (which is a slash by then) mean what they mean for every other reader of PATH_INFO.
 *
 * @module
 */

import { asFunction } from "../core/contract/application.ts";
import type {
  ApplicationClass,
  ApplicationFunction,
  ApplicationObject,
  Body,
  Environ,
  StartResponse,
} from "../core/contract/types.ts";
import { describe } from "../core/errors.ts";
import { TOKEN } from "../core/grammar.ts";
import { text } from "../http/answer.ts";
import { checkOptions, type OptionNames } from "../http/options.ts";
import { strictUtf8 } from "../http/query.ts";
import { descend } from "./mount.ts";
import { parsePattern, type RouteParams } from "./pattern.ts";

/** The environ of an application behind a route. */
export type RoutedEnviron<Path extends string, Adds extends object = object> = Environ & Adds & {
  /** The parameters of the path, decoded as UTF-8. */
  "tsgi.params": RouteParams<Path>;
};

/** An application for a route, in any of the three forms. */
export type RouteHandler<Path extends string, Adds extends object = object> =
  | ApplicationFunction<RoutedEnviron<Path, Adds>>
  | ApplicationClass
  | ApplicationObject;

/** Adds a route for one method. */
export type AddRoute<Adds extends object> = <const Path extends string>(
  path: Path,
  app: RouteHandler<Path, Adds>,
) => Router<Adds>;

/**
 * A router, which is an application: see {@linkcode router}.
 *
 * @typeParam Adds The keys of the environ that middleware around the router adds.
 */
export interface Router<Adds extends object = object> {
  /** Serves a request. */
  (environ: Environ & Adds, startResponse: StartResponse): Body | Promise<Body>;
  /** The decorator form, `site(path)(app)`: adds a route for all methods, and returns the application. */
  <const Path extends string>(path: Path): <App extends RouteHandler<Path, Adds>>(app: App) => App;
  /** Adds a route for GET, and for HEAD unless that has one of its own. */
  readonly get: AddRoute<Adds>;
  /** Adds a route for HEAD. */
  readonly head: AddRoute<Adds>;
  /** Adds a route for POST. */
  readonly post: AddRoute<Adds>;
  /** Adds a route for PUT. */
  readonly put: AddRoute<Adds>;
  /** Adds a route for PATCH. */
  readonly patch: AddRoute<Adds>;
  /** Adds a route for DELETE. */
  readonly delete: AddRoute<Adds>;
  /** Adds a route for OPTIONS, in place of the answer of the router. */
  readonly options: AddRoute<Adds>;
  /** Adds a route for all methods that the path has no other route for. */
  readonly all: AddRoute<Adds>;
  /** Adds a route for some methods. */
  readonly on: <const Path extends string>(
    methods: string | readonly string[],
    path: Path,
    app: RouteHandler<Path, Adds>,
  ) => Router<Adds>;
  /** Gives what is at a path and below to an application: the path moves from PATH_INFO to SCRIPT_NAME. */
  readonly mount: AddRoute<Adds>;
}

/** Options of {@linkcode router}. */
export interface RouterOptions {
  /** Answers requests whose path has no route. Default: a 404 in plain text. */
  readonly notFound?: ApplicationFunction;
}

const OPTIONS: OptionNames<RouterOptions> = { notFound: true };

/** An application with the names of the parameters in its pattern. */
interface Route {
  readonly app: ApplicationFunction;
  readonly names: readonly string[];
}

/** The routes of one place in the tree. */
type Leaf = Map<string, Route>;

/** A level of the tree. */
interface Node {
  readonly literals: Map<string, Node>;
  parameter: Node | undefined;
  /** Routes that end here. */
  leaf: Leaf | undefined;
  /** Routes of the rest of the path. */
  wildcard: Leaf | undefined;
  /** An application that is mounted here. */
  mounted: Route | undefined;
}

const ANY = "*"; // the method of routes for all methods

function newNode(): Node {
  return { literals: new Map(), parameter: undefined, leaf: undefined, wildcard: undefined, mounted: undefined };
}

/**
 * Makes a router. Patterns are literal segments, parameters (`/users/:id`, one segment that is not empty) and at the end a
 * wildcard (`/files/*path`, or `/files/*` with the name `*`). The application finds the values in
 * `environ["tsgi.params"]`; TypeScript knows their names.
 *
 * A path without a route is a 404, a method without one a 405 with Allow. HEAD goes to the route of GET, and OPTIONS is
 * answered. A parameter that is not UTF-8 is a 400. Paths with and without a slash at the end are different.
 *
 * @typeParam Adds The keys that middleware around the router adds, as in `router<WithSession<Data>>()`.
 *
 * @example
 * ```ts
 * import { json, text } from "tsgi/http";
 * import { router } from "tsgi/middleware";
 * import { client } from "tsgi/testing";
 *
 * const site = router()
 *   .get("/", (_environ, startResponse) => text(startResponse, "home"))
 *   .get("/users/:id/posts/:post", (environ, startResponse) => {
 *     const { id, post } = environ["tsgi.params"];
 *     return json(startResponse, [id, post]);
 *   });
 *
 * const visitor = client(site);
 * console.assert(await (await visitor.get("/users/J%C3%BCrgen/posts/7")).text() === '["J\u00fcrgen","7"]');
 * const refused = await visitor.post("/");
 * console.assert(refused.status === 405 && refused.headers.get("Allow") === "GET, HEAD, OPTIONS");
 * ```
 *
 * @example The decorator form
 * ```ts
 * import { text } from "tsgi/http";
 * import { router } from "tsgi/middleware";
 * import { client } from "tsgi/testing";
 * const route = router();
 * const hello = route("/hello/:name")((environ, startResponse) =>
 *   text(startResponse, `Hello ${environ["tsgi.params"].name}`)
 * );
 * console.assert(typeof hello === "function");
 * console.assert(await (await client(route).get("/hello/Ann")).text() === "Hello Ann");
 * ```
 */
export function router<Adds extends object = object>(options: RouterOptions = {}): Router<Adds> {
  checkOptions("router", options, OPTIONS);
  const { notFound = (_environ, startResponse) => text(startResponse, "404 Not Found\n", { status: 404 }) } = options;
  const root = newNode();
  const literal = new Map<string, Leaf>(); // paths without parameters

  const add = (methods: readonly string[], path: string, app: unknown): Router<Adds> => {
    const { segments, names, wildcard } = parsePattern(path);
    const route: Route = { app: asFunction(app as ApplicationFunction), names };
    const node = place(root, segments);
    const leaf = wildcard ? node.wildcard ??= new Map() : node.leaf ??= new Map();
    for (const method of methods) {
      if (!TOKEN.test(method)) throw new TypeError(`router: expected a method, got ${describe(method)}`);
      if (leaf.has(method)) {
        throw new TypeError(`router: ${method === ANY ? "" : `${method} `}${path} has a route already`);
      }
      leaf.set(method, route);
    }
    if (names.length === 0) literal.set(`/${segments.join("/")}`, leaf);
    return site;
  };

  const mount = (path: string, app: unknown): Router<Adds> => {
    const { segments, names, wildcard } = path === "/"
      ? { segments: [], names: [], wildcard: false }
      : parsePattern(path);
    if (wildcard || segments.at(-1) === "") {
      throw new TypeError(`router: ${path} cannot be a mount point: leave out its end`);
    }
    const node = place(root, segments);
    if (node.mounted !== undefined) throw new TypeError(`router: ${path} has an application already`);
    node.mounted = { app: asFunction(app as ApplicationFunction), names };
    return site;
  };

  const serve = (environ: Environ, startResponse: StartResponse): Body | Promise<Body> => {
    const path = environ.PATH_INFO === "" ? "/" : environ.PATH_INFO;
    const method = environ.REQUEST_METHOD;
    const route = literal.get(path)?.get(method);
    if (route !== undefined) return call(route, [], environ, startResponse);
    const search = new Search(path, method);
    if (search.at(root, 0)) return search.call(environ, startResponse);
    if (search.allowed.size === 0) return notFound(environ, startResponse);
    return refuse(method, search.allowed, startResponse);
  };

  const by = (method: string): AddRoute<Adds> => (path, app) => add([method], path, app);
  const site: Router<Adds> = Object.assign(
    ((first: Environ | string, startResponse: StartResponse) => {
      if (typeof first !== "string") return serve(first, startResponse);
      parsePattern(first); // throws at the path, not at the application
      return <App>(app: App): App => {
        add([ANY], first, app);
        return app;
      };
    }) as never,
    {
      get: by("GET"),
      head: by("HEAD"),
      post: by("POST"),
      put: by("PUT"),
      patch: by("PATCH"),
      delete: by("DELETE"),
      options: by("OPTIONS"),
      all: by(ANY),
      on: ((methods, path, app) => add(typeof methods === "string" ? [methods] : methods, path, app)) as Router<
        Adds
      >["on"],
      mount: mount as AddRoute<Adds>,
    },
  );
  return site;
}

/** The node of some segments, made where it is missing. */
function place(root: Node, segments: readonly (string | undefined)[]): Node {
  let node = root;
  for (const segment of segments) {
    let child = segment === undefined ? node.parameter : node.literals.get(segment);
    if (child === undefined) {
      child = newNode();
      if (segment === undefined) node.parameter = child;
      else node.literals.set(segment, child);
    }
    node = child;
  }
  return node;
}

/** Calls the application of a route. Parameters of a router that is mounted join those of the outer one. */
function call(
  route: Route,
  values: readonly string[],
  environ: Environ,
  startResponse: StartResponse,
): Body | Promise<Body> {
  const outer = environ["tsgi.params"] as Record<string, string> | undefined;
  const params: Record<string, string> = outer === undefined ? {} : { ...outer };
  for (let i = 0; i < route.names.length; i++) {
    const value = strictUtf8(values[i] as string);
    if (value === undefined) return text(startResponse, "400 Bad Request\n", { status: 400 });
    params[route.names[i] as string] = value;
  }
  environ["tsgi.params"] = params;
  return route.app(environ, startResponse);
}

/** One search in the tree. */
class Search {
  readonly allowed: Set<string> = new Set();
  readonly #path: string;
  readonly #method: string;
  readonly #values: string[] = [];
  #route: Route | undefined;
  #mounted = -1; // index in the path where a mounted application begins

  constructor(path: string, method: string) {
    this.#path = path;
    this.#method = method;
  }

  /** Looks for a route below a node; `start` is the index of the slash before the next segment. */
  at(node: Node, start: number): boolean {
    if (start === this.#path.length) {
      if (node.leaf !== undefined && this.#take(node.leaf)) return true;
    } else {
      const slash = this.#path.indexOf("/", start + 1);
      const end = slash < 0 ? this.#path.length : slash;
      const segment = this.#path.slice(start + 1, end);
      const child = node.literals.get(segment);
      if (child !== undefined && this.at(child, end)) return true;
      if (node.parameter !== undefined && segment !== "") {
        this.#values.push(segment);
        if (this.at(node.parameter, end)) return true;
        this.#values.pop();
      }
      if (node.wildcard !== undefined) {
        this.#values.push(this.#path.slice(start + 1));
        if (this.#take(node.wildcard)) return true;
        this.#values.pop();
      }
    }
    if (node.mounted === undefined) return false;
    this.#route = node.mounted;
    this.#mounted = start;
    return true;
  }

  #take(leaf: Leaf): boolean {
    const route = leaf.get(this.#method) ?? (this.#method === "HEAD" ? leaf.get("GET") : undefined) ?? leaf.get(ANY);
    if (route === undefined) leaf.forEach((_route, method) => this.allowed.add(method));
    this.#route = route;
    return route !== undefined;
  }

  call(environ: Environ, startResponse: StartResponse): Body | Promise<Body> {
    if (this.#mounted >= 0) descend(environ, Math.min(this.#mounted, environ.PATH_INFO.length));
    return call(this.#route as Route, this.#values, environ, startResponse);
  }
}

/** Answers OPTIONS, and refuses any other method. */
function refuse(method: string, methods: Set<string>, startResponse: StartResponse): string[] {
  if (methods.has("GET")) methods.add("HEAD");
  methods.add("OPTIONS");
  const allow = ["Allow", [...methods].sort().join(", ")] as const;
  if (method !== "OPTIONS") return text(startResponse, "405 Method Not Allowed\n", { status: 405, headers: [allow] });
  startResponse("204 No Content", [allow]);
  return [];
}
