/**
 * The parts of the documentation that the tests do not run, with the reasons.
 *
 * @module
 */

/** Lines of `sh` blocks. */
export const linesNotRun: readonly { readonly line: RegExp; readonly reason: string }[] = [
  { line: /^npm test$/, reason: "it is what runs this test" },
  {
    line: /^(?:mkdir -p|chown|chmod) .*\/(?:srv|var)\//,
    reason: "for root; tests/front/ does the same in a folder of its own",
  },
  { line: /^a2enmod /, reason: "changes Apache; tests/front/ loads the modules that it names" },
  { line: /^deno run --allow-net examples\/serve.ts$/, reason: "takes port 8000: tests/clients/port.test.ts runs it" },
  {
    line: /^npm (?:ci|run build|pack \.\/dist|install \.\.\/tsgi\/.*)$/,
    reason: "scripts/pack_check.ts builds, packs, installs and serves; CI runs it",
  },
  { line: /^(?:npm install tsgi|deno add jsr:@tsgi\/tsgi|bun add tsgi)$/, reason: "tsgi is not published yet" },
  {
    line: /^npx tsgi init /,
    reason: "scripts/pack/empty_folder.ts and tests/cli/init.test.ts make projects and run them",
  },
  { line: /--certfile /, reason: "wants the certificate of a site; tests/cli/tls.test.ts starts such commands" },
  { line: /^systemctl /, reason: "wants a running systemd; the unit is checked, and its ExecStart is run" },
  { line: /^\/srv\/app\/current\//, reason: "tests/cli/deploy.test.ts deploys releases by a link" },
  { line: /^bun build /, reason: "bench/cgi/ bundles with these lines, and measures what comes of it" },
];

/** Whole blocks, by page and info string. */
export const blocksNotRun: readonly { readonly page: string; readonly info: string; readonly reason: string }[] = [
  {
    page: "docs/deploy/workers.md",
    info: "logrotate",
    reason: "logrotate is not installed with the tests; tests/cli/logs.test.ts moves a log away and sends USR1",
  },
  {
    page: "docs/architecture.md",
    info: "mermaid",
    reason:
      "a picture that the page's reader draws; tests/docs/architecture.test.ts and tests/purity.test.ts check the rest",
  },
];
