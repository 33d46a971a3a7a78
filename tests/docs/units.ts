/**
 * Parses systemd units: sections, and the directives that our pages use. An unknown directive is an error, because systemd
 * would ignore it and only log that.
 *
 * @module
 */

/** A unit. */
export interface Unit {
  /** Path in its first line. */
  readonly path: string;
  /** Directives by section; one that is repeated has several values. */
  readonly sections: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
}

const DIRECTIVES: Readonly<Record<string, readonly string[]>> = {
  Unit: ["Description", "Requires", "After", "Wants"],
  Service: [
    ..."Type NotifyAccess User Group WorkingDirectory Environment ExecStart ExecReload KillMode Restart RestartSec"
      .split(" "),
    ..."TimeoutStopSec PrivateTmp ProtectSystem ProtectHome NoNewPrivileges RuntimeDirectory LimitNOFILE".split(" "),
    ..."StateDirectory LogsDirectory Sockets NonBlocking".split(" "),
  ],
  Socket: ["ListenStream", "SocketUser", "SocketGroup", "SocketMode", "Backlog", "FileDescriptorName"],
  Install: ["WantedBy", "Also"],
};

/**
 * Reads a unit.
 *
 * @throws {Error} for a line, a section or a directive that is not known.
 */
export function parseUnit(code: string): Unit {
  const [first = "", ...lines] = code.trimEnd().split("\n");
  const path = /^# (\/\S+)$/.exec(first)?.[1];
  if (path === undefined) throw new Error(`Expected "# /etc/systemd/system/..." as the first line, got ${first}`);
  const sections: Record<string, Record<string, string[]>> = {};
  let section = "";
  for (const line of lines) {
    if (line === "" || line.startsWith("#")) continue;
    const [, heading, name, value = ""] = /^(?:\[(\w+)\]|(\w+)=(.*))$/.exec(line) ?? [];
    if (heading !== undefined) sections[section = heading] = {};
    else if (name === undefined || !DIRECTIVES[section]?.includes(name)) throw new Error(`[${section}] ${line}`);
    else (sections[section] as Record<string, string[]>)[name] = [...(sections[section]?.[name] ?? []), value];
  }
  return { path, sections };
}

/** The command line and environment of a service; undefined for other units. */
export function execStart({ sections }: Unit): { line: string; env: Record<string, string> } | undefined {
  const service = sections.Service;
  if (service === undefined) return undefined;
  const line = service.ExecStart?.[0];
  if (line === undefined || service.ExecStart?.length !== 1) throw new Error("A service has one ExecStart");
  const environment = (service.Environment ?? []).map((one) => /^(\w+)=(.*)$/.exec(one));
  const env = Object.fromEntries(environment.map((pair) => [pair?.[1] ?? "", pair?.[2] ?? ""]));
  return { line: line.replace(/^\S*\/tsgi\b/, "tsgi"), env };
}
