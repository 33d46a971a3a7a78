/**
 * The parts of the documentation that the tests do not run, with the reasons.
 *
 * @module
 */

/** Lines of `sh` blocks. */
export const linesNotRun: readonly { readonly line: RegExp; readonly reason: string }[] = [
  { line: /--certfile /, reason: "wants the certificate of a site; tests/cli/tls.test.ts starts such commands" },
  { line: /^npm test$/, reason: "it is what runs this test" },
  { line: /^deno run --allow-net examples\/serve.ts$/, reason: "takes port 8000: tests/clients/port.test.ts runs it" },
];

/** Lines of the pages that `pasted.test.ts` pastes. */
export const pastedLinesNotRun: readonly { readonly line: RegExp; readonly reason: string }[] = [
  {
    line: /^npx tsgi init /,
    reason: "tests/cli/init_install.test.ts and tests/cli/init.test.ts make projects and run them",
  },
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
