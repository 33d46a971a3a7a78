/**
 * Counts the tests of one CI run and prints `N passed, N failed` as the last line.
 *
 * `node scripts/ci_summary.ts REPORTS [STEP...]`, where REPORTS holds the reports of vitest (JSON) and Deno (JUnit) and
 * each STEP is a step of the gate that failed. A test that did not run is a failure, and so is a missing report;
 * a failed step counts as one failure when no failed test accounts for it.
 *
 * @module
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

interface Count {
  passed: number;
  failed: number;
}

const [reports = ".", ...failedSteps] = process.argv.slice(2);

const total: Count = { passed: 0, failed: 0 };
add("vitest", "vitest.json", vitestCount);
add("deno test", "deno.xml", denoCount);
for (const step of failedSteps) {
  console.log(`Step failed: ${step}`);
}
if (total.failed === 0) total.failed = failedSteps.length;
if (total.passed === 0 && total.failed === 0) total.failed = 1;

console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 ? 0 : 1;

function add(runner: string, file: string, read: (text: string) => Count): void {
  let count: Count;
  try {
    count = read(readFileSync(join(reports, file), "utf8"));
  } catch (error) {
    console.log(`${runner}: no report (${error instanceof Error ? error.message : error})`);
    count = { passed: 0, failed: 1 };
  }
  console.log(`${runner}: ${count.passed} passed, ${count.failed} failed or not run`);
  total.passed += count.passed;
  total.failed += count.failed;
}

/** A file that cannot be loaded has no tests, but is a failed suite. */
function vitestCount(text: string): Count {
  const report = JSON.parse(text);
  const unloaded = report.testResults.filter((file: { status: string; assertionResults: unknown[] }) =>
    file.status === "failed" && file.assertionResults.length === 0
  );
  for (const file of unloaded) console.log(`vitest: ${file.name} did not load`);
  for (const file of report.testResults) {
    for (const test of file.assertionResults) {
      if (test.status !== "passed") console.log(`vitest: ${test.status}: ${test.fullName}`);
    }
  }
  return {
    passed: report.numPassedTests,
    failed: report.numTotalTests - report.numPassedTests + unloaded.length,
  };
}

/** The first element carries the sums: `<testsuites name="deno test" tests="4" failures="0" errors="0">`. */
function denoCount(text: string): Count {
  const sum = (name: string): number =>
    Number(new RegExp(`<testsuites[^>]*\\b${name}="(\\d+)"`).exec(text)?.[1] ?? NaN);
  const tests = sum("tests");
  const failed = sum("failures") + sum("errors") + [...text.matchAll(/<skipped\b/g)].length;
  if (Number.isNaN(tests + failed)) throw new Error("unknown form");
  return { passed: tests - failed, failed };
}
