/**
 * Tables of docs/ that say what tsgi does, against tsgi: what docs/security.md says is refused is sent and refused, and
 * the names in docs/migration.md are there.
 */

import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { REQUESTS, STOPS } from "../../cli/signals.ts";
import { hooks } from "../../cli/settings/hooks.ts";
import { keys } from "../../cli/settings/mod.ts";
import * as tsgi from "../../mod.ts";
import * as testing from "../../testing/mod.ts";
import * as wsgiref from "../../wsgiref/mod.ts";
import { settings } from "../../core/server/options.ts";
import { pageText, tableRows } from "./markdown.ts";

const security = pageText("docs/security.md");
const migration = pageText("docs/migration.md");

/** The spans of code in a cell. */
function codes(cell = ""): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map((span) => span[1] as string);
}

/** The spans of code in a column of the tables below a heading. */
function column(text: string, heading: string, index: number): string[] {
  const found = tableRows(text, heading).flatMap((cells) => codes(cells[index]));
  expect(found.length, heading).toBeGreaterThan(5);
  return found;
}

/** A request as a cell writes it: a head with its request line, or what stands below one. */
function request(cell: string): string {
  const text = (codes(cell)[0] ?? expect.fail(`There is no code in ${cell}`)).replace(
    /\\(?:x([0-9a-f]{2})|([rn0]))/g,
    (_, hex: string | undefined, letter: string) =>
      hex !== undefined ? String.fromCharCode(parseInt(hex, 16)) : { r: "\r", n: "\n", 0: "\0" }[letter] ?? "",
  );
  const whole = /^[A-Z]+ .* HTTP\/\d/.test(text) ? text : `POST / HTTP/1.1\r\nHost: a\r\n${text}`;
  return whole.includes("\r\n\r\n") ? whole : `${whole}\r\n\r\n`;
}

describe("docs/security.md", () => {
  let server: tsgi.Server;

  beforeAll(async () => {
    server = await tsgi.serve(async (environ, startResponse) => {
      await environ["wsgi.input"].read();
      startResponse("200 OK", [["Content-Type", "application/json"]]);
      return JSON.stringify(
        Object.fromEntries(Object.entries(environ).filter(([, value]) => typeof value === "string")),
      );
    }, { port: 0, onListen: () => {}, errorLog: () => {}, handleSignals: false });
  });

  afterAll(() => server.shutdown({ timeout: 0 }));

  /** What comes back before the server closes; the client does not send more. */
  function exchange(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect({
        host: "127.0.0.1",
        port: (server.address as tsgi.TcpAddress).port,
        allowHalfOpen: true,
      });
      let answer = "";
      socket.end(text, "latin1");
      socket.setEncoding("latin1").on("data", (part) => answer += part).once("error", reject).once(
        "end",
        () => resolve(answer),
      );
    });
  }

  const refused = ["Where a body ends", "For whom a request is", "What a field may be"]
    .flatMap((heading) => tableRows(security, heading));

  test("there are rows", () => expect(refused.length).toBeGreaterThan(30));

  test.each(refused)("%s: %s", async (line, status) => {
    const answer = await exchange(request(line));
    expect(answer.split("\r\n")[0]).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toMatch(/^Connection: close\r$/m);
  });

  test.each(tableRows(security, "What the application is told"))("%s: %s", async (line, sees) => {
    const answer = await exchange(request(line));
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    const environ = JSON.parse(answer.slice(answer.indexOf("\r\n\r\n") + 4)) as Record<string, string>;
    const claims = [...sees.matchAll(/no `([^`]+)`|`([^`]+)` is `([^`]+)`/g)];
    expect(claims.length).toBeGreaterThan(0);
    for (const [, absent, key, value] of claims) {
      if (absent !== undefined) expect(environ).not.toHaveProperty([absent]);
      else expect(environ[key as string]).toBe(value);
    }
  });

  test("options that it names exist", () => {
    const rows = tableRows(security, "One client and the server's resources").map((cells) => cells[1] as string);
    const named = rows.flatMap((cell) =>
      [...cell.matchAll(/`(\w+(?:Timeout|Connections)|limit\w+)`/g)].map(([, name]) => name)
    );
    expect(named.length).toBeGreaterThan(8);
    expect(
      named.filter((name) => !Object.hasOwn(settings({}, { port: undefined, errorLog: () => {} }), name as string)),
    ).toEqual([]);
  });
});

/** Types that the page names; the compiler knows whether they are there. */
interface Types {
  readonly Application: tsgi.Application;
  readonly Environ: tsgi.Environ;
  readonly StartResponse: tsgi.StartResponse;
}
const TYPES: readonly (keyof Types)[] = ["Application", "Environ", "StartResponse"];

/** The settings of gunicorn 20.1. */
const GUNICORN = `
  config wsgi_app reload reload_engine reload_extra_files spew check_config print_config accesslog
  disable_redirect_access_to_syslog access_log_format errorlog loglevel capture_output logger_class logconfig
  logconfig_dict syslog_addr syslog syslog_prefix syslog_facility enable_stdio_inheritance statsd_host dogstatsd_tags
  statsd_prefix proc_name default_proc_name keyfile certfile ssl_version cert_reqs ca_certs suppress_ragged_eofs
  do_handshake_on_connect ciphers limit_request_line limit_request_fields limit_request_field_size on_starting on_reload
  when_ready pre_fork post_fork post_worker_init worker_int worker_abort pre_exec pre_request post_request child_exit
  worker_exit nworkers_changed on_exit preload_app sendfile reuse_port chdir daemon raw_env pidfile worker_tmp_dir user
  group umask initgroups tmp_upload_dir secure_scheme_headers forwarded_allow_ips pythonpath paste proxy_protocol
  proxy_allow_ips raw_paste_global_conf strip_header_spaces tolerate_dangerous_framing bind backlog workers worker_class
  threads worker_connections max_requests max_requests_jitter timeout graceful_timeout keepalive
`.trim().split(/\s+/);

describe("docs/migration.md", () => {
  test("has every setting and hook of gunicorn", () => {
    const named = ["gunicorn's settings", "gunicorn's hooks"].flatMap((heading) => column(migration, heading, 0));
    expect(GUNICORN.filter((name) => !named.includes(name))).toEqual([]);
    expect(named.filter((name, i) => named.indexOf(name) !== i)).toEqual([]);
  });

  test("leads to settings that there are, and leaves none out", () => {
    const named = column(migration, "gunicorn's settings", 1);
    expect(named.filter((name) => !(keys as readonly string[]).includes(name))).toEqual([]);
    const beside = /^tsgi has settings that gunicorn has not:([^]*?)\.$/m.exec(migration)?.[1];
    const all = [...named, ...codes(beside), ...Object.keys(hooks)];
    expect(keys.filter((key) => !all.includes(key))).toEqual([]);
  });

  test("leads to hooks that there are, and leaves none out", () => {
    expect(column(migration, "gunicorn's hooks", 1).toSorted()).toEqual(Object.keys(hooks).toSorted());
  });

  test("has every signal", () => {
    const rows = tableRows(migration, "gunicorn's signals").filter((cells) => !cells[2]?.startsWith("none"));
    expect(rows.flatMap((cells) => codes(cells[0])).map((name) => `SIG${name}`).toSorted()).toEqual(
      [...STOPS, ...REQUESTS].toSorted(),
    );
  });

  test("leads from wsgiref to what there is", async () => {
    const server = await tsgi.makeServer("127.0.0.1", 0, wsgiref.demoApp);
    await server.shutdown({ timeout: 0 });
    const handler = new wsgiref.SimpleHandler(null, { write: () => {} }, () => {}, {});
    const there = [...Object.keys({ ...tsgi, ...wsgiref, ...testing, ...server }), ...TYPES];
    const named = column(migration, "From wsgiref", 1);
    expect(named.filter((name) => !there.includes(name) && !(name in handler))).toEqual([]);
  });

  test("leads from Rack to what there is", () => {
    const environ = testing.createEnviron({ method: "POST", body: "a", headers: { "content-type": "text/plain" } });
    expect(column(migration, "Rack's environ", 1).filter((name) => !Object.hasOwn(environ, name))).toEqual([]);
    const names = tableRows(migration, "Rack's tools").flatMap((cells) => codes(cells[1]));
    expect(names.filter((name) => name !== "tsgi" && !Object.hasOwn({ ...wsgiref, ...testing }, name))).toEqual([]);
  });
});
